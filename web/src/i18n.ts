// The page's own words, in English and Chinese. What agents and commands say is
// shown as they say it.
import { signal } from '@preact/signals'
import { zh } from './zh'

export const en = {
  map: 'Map', matrix: 'Matrix', events: 'Events', explain: 'Explain', plan: 'Plan', config: 'Config',
  hosts: '{0} hosts', 'hosts.1': '1 host', lostPaths: '{0} paths lost', 'lostPaths.1': '1 path lost', slowPaths: '{0} paths slow', 'slowPaths.1': '1 path slow',
  allReach: 'All probed paths answer', problems: '{0} problems', 'problems.1': '1 problem', noPaths: 'No paths known yet', 
  live: 'Live', connecting: 'Connecting', reconnecting: 'Connection lost, reconnecting', refusedTitle: 'This page needs a new link',
  refused: 'The link that was printed opens the page once, in one browser, for as long as the command runs. Start it again for a new one:',
  search: 'Find a host, subnet or address', matches: '{0} found', onlyBad: 'Only with problems', zoomIn: 'Zoom in', zoomOut: 'Zoom out', language: '中文',
  segment: 'Segment', segmentUnknown: 'Segment unknown', lab: 'Lab', cut: 'Cut', mend: 'Mend', cables: 'Cables', segments: 'Segments', cutNow: '{0}: cut',
  ready: 'ready', degraded: 'degraded', notReady: 'not ready', unknown: 'unknown', thisHost: 'this host',
  direct: 'direct', vxlan: 'vxlan', none: 'no path', lost: 'no answer', lostSince: 'no answer since {0}', slow: 'slow: loss, MTU or round trip', ok: 'answers', unmeasured: 'not measured', notProbed: 'not probed',
  legend: 'Legend', drawn: 'Drawn: what is slow or broken, and the selected host', moreLinks: '{0} more links are not drawn',
  subnet: 'Subnet', address: 'Advertised address', version: 'Version', backend: 'Backend', state: 'State', agent: 'Agent', lease: 'Lease', uplink: 'Uplink', mtu: 'MTU', objects: 'Kernel objects', store: 'Store', 
  agentAnswers: 'answers', agentSilent: 'does not answer: {0}', agentNotAsked: 'is not asked; its state is unknown here', held: 'held', notHeld: 'NOT HELD', expires: 'expires {0}', reserved: 'reserved', inSync: '{0} wanted', failed: '{0} FAILED',
  pathsTo: 'Paths to this host', pathsFrom: 'Paths from this host', pathsFromUnknown: 'Unknown here: the agent of this host is not asked.', from: 'From', to: 'To', path: 'Path', probe: 'Probes', rtt: 'Round trip', loss: 'Loss', lossOf: '{0}% loss', other: 'not in use', close: 'Close', showObjects: 'Show kernel objects', noObjects: 'No object names this host', objectsOf: 'Objects on {0} for this host', objectsOwn: 'Objects on this host',
  plotAbout: 'Round trip and loss since the page was opened', plotEmpty: 'The first measurements arrive in a moment',
  timeline: 'Time', now: 'Now', backToLive: 'Back to live', scrub: 'Moment that is shown', past: 'As it was at {0}', beforeOpen: 'Before the page was opened: paths as events tell; states of hosts are unknown', noEvents: 'No events yet',
  lanePaths: 'Paths', laneKernel: 'Kernel', lanePeers: 'Peers', laneConfig: 'Config, lease, store', laneOther: 'Agent',
  time: 'Time', host: 'Host', what: 'Event', who: 'By', filter: 'Filter', allKinds: 'All kinds',
  source: 'Source', destination: 'Destination', protocol: 'Protocol', port: 'Port', follow: 'Follow the packet', onHost: 'On host', explainHint: 'Addresses of containers, hosts or services, names of hosts, or subnets of peers. Nothing is sent and nothing is changed.',
  running: 'Asking the kernel', brokenAt: 'Broken at {0}', remedy: 'Remedy', intact: 'No broken link was found', intactUnknown: 'No broken link was found; what is unknown cannot be judged from here', stations: 'Way of the packet', stationOk: 'passes', stationBroken: 'broken', stationUnknown: 'unknown',
  drift: 'Drift', desired: 'Desired state', noDrift: 'The kernel does not differ from the plan', changes: '{0} changes would make the kernel equal to the plan', 'changes.1': '1 change would make the kernel equal to the plan', refresh: 'Refresh', missing: 'missing', stale: 'stale', different: 'different',
  current: 'Network config', revision: 'Revision {0}', preflight: 'What the change would do', preflightHint: 'Edit the document and check it: nothing is stored. The command below stores it.', check: 'Check the change', reset: 'Reset', unchanged: 'Nothing would change', harmless: 'No running container would notice', switchHosts: '{0} of {1} hosts would switch to {2}', cutHosts: 'Would lose their path', shrinkHosts: 'Would get a smaller MTU', restartHosts: 'Run flanneld: follow when it is restarted', drainHosts: 'Subnets that do not fit: their hosts get others', unknownHosts: 'Do not tell their directly connected subnets: unknown whether they keep their paths', warnings: 'Warnings', keys: 'Keys', command: 'To store it', loses: 'loses {0}',
  worst: 'What is broken or slow', skip: 'Skip to content', pending: '{0} of {1} hosts have switched', storeDown: 'The store is unreachable: {0}', listed: '{0} of {1}', moreProblems: '{0} more', 
}

export type Key = keyof typeof en

const stored = localStorage.getItem('weft-language')
export const language = signal<'en' | 'zh'>(stored === 'zh' || stored === 'en' ? stored : navigator.language.startsWith('zh') ? 'zh' : 'en')

export function setLanguage(l: 'en' | 'zh') {
  language.value = l
  localStorage.setItem('weft-language', l)
  document.documentElement.lang = l === 'zh' ? 'zh-Hans' : 'en'
}
setLanguage(language.value)

// t is a text with its arguments put in; if the first is 1, in the singular where
// there is one.
export function t(key: Key, ...args: (string | number)[]): string {
  const words: Record<string, string> = language.value === 'zh' ? zh : en
  const text = (args[0] === 1 && words[`${key}.1`]) || words[key] || en[key]
  return text.replace(/\{(\d)\}/g, (_, n) => { const a = args[Number(n)] ?? ''; return typeof a === 'number' ? a.toLocaleString('en') : a })
}

// word is the text of a word that agents use, or the word itself.
export function word(w: string): string { return w in en ? t(w as Key) : w }

const clock = new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
const dated = new Intl.DateTimeFormat([], { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })

// clockOf is the time of day, with the date if that was not today.
export function clockOf(when: number | string): string {
  const d = new Date(when)
  return (d.toDateString() === new Date().toDateString() ? clock : dated).format(d)
}

export function milliseconds(us: number | undefined): string {
  if (!us) return '-'
  const ms = us / 1000
  return `${ms < 0.1 ? ms.toFixed(2) : ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`
}
