// The fabric at an earlier moment, as far as it is remembered. Since the page was
// opened every change is known; before, events tell of paths and peers alone, and
// the states of hosts are unknown.
import type { Event, Host, Link } from './model'
import type { Change } from './store'

export function rewind(hosts: Map<string, Host>, links: Map<string, Link>, changes: Change[], events: Event[], opened: number, t: number) {
  const pastLinks = new Map(links)
  for (let i = changes.length - 1; i >= 0 && changes[i].t > t; i--) {
    const c = changes[i]
    if (c.before) pastLinks.set(c.id, c.before)
    else pastLinks.delete(c.id)
  }
  if (t >= opened) return { hosts, links: pastLinks }
  const pastHosts = new Map<string, Host>()
  for (const [id, h] of hosts) pastHosts.set(id, { ...h, state: undefined, problems: undefined, why: undefined })
  for (let i = events.length - 1; i >= 0; i--) {
    const e = events[i], when = Date.parse(e.at)
    if (when <= t) break
    if (when > opened) continue
    undo(e, hosts, pastHosts, pastLinks)
  }
  return { hosts: pastHosts, links: pastLinks }
}

// undo takes back what an event tells.
function undo(e: Event, hosts: Map<string, Host>, pastHosts: Map<string, Host>, links: Map<string, Link>) {
  if (!e.subnet) return
  if (e.kind === 'peer-joined') {
    pastHosts.delete(e.subnet)
    for (const [id, l] of links) if (l.to === e.subnet || l.from === e.subnet) links.delete(id)
    return
  }
  if (e.kind !== 'path-lost' && e.kind !== 'path-back') return
  const before = e.kind === 'path-lost' ? 'passes' : 'lost'
  for (const [id, l] of links) {
    if (l.to !== e.subnet || hosts.get(l.from)?.name !== e.host) continue
    if (!e.fields?.path || e.fields.path === l.kind) links.set(id, { ...l, state: before, rtt: undefined, loss: undefined })
  }
}
