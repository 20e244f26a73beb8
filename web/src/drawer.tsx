// What is known of one host.
import { useState } from 'preact/hooks'
import { clockOf, milliseconds, t, word } from './i18n'
import { Glyph } from './legend'
import { type Host, type Link, collate, isBad, lossShown, nameOf, stateOf } from './model'
import { Objects } from './objects'
import { Plot } from './plot'
import { head, healthNow, hostOf, samplesOf, selected, shown } from './store'

const mostRows = 200

export function Drawer({ id }: { id: string }) {
  const h = hostOf(id)
  const close = () => { selected.value = null }
  if (!h) return null
  const links = [...shown.value.links.values()]
  const to = links.filter((l) => l.to === id), from = links.filter((l) => l.from === id)
  return (
    <aside class="drawer" aria-label={nameOf(h)}>
      <header>
        <h2><Glyph state={stateOf(h)} />{nameOf(h)} <span class="muted">{word(stateOf(h))}</span></h2>
        <button class="quiet" aria-label={t('close')} title={t('close')} onClick={close}>×</button>
      </header>
      {h.problems && h.problems.length > 0 && <Problems host={h} />}
      <Paths title={t('pathsTo')} links={to} other={(l) => l.from} />
      {h.asked ? <Paths title={t('pathsFrom')} links={from} other={(l) => l.to} /> : <section><h3>{t('pathsFrom')}</h3><p class="muted">{t('pathsFromUnknown')}</p></section>}
      <Facts host={h} />
      <Objects host={h} />
    </aside>
  )
}

const problemsFirst = 2 // that are shown at once; the rest is a click away

function Problems({ host }: { host: Host }) {
  const [all, setAll] = useState(false)
  const list = host.problems!
  return (
    <section class="problems">
      {list.slice(0, all ? list.length : problemsFirst).map((p, i) => {
        const cut = p.message.indexOf('; ')
        const [text, remedy] = cut < 0 ? [p.message, ''] : [p.message.slice(0, cut), p.message.slice(cut + 2)]
        const subject = hostOf(p.subject)
        return (
          <div key={i} class={`problem p-${p.severity}`}>
            <p><strong>{subject ? `${nameOf(subject)} (${p.subject})` : p.subject}</strong> {text}</p>
            {remedy && <p class="fix"><strong>{t('remedy')}</strong> {remedy}</p>}
          </div>
        )
      })}
      {!all && list.length > problemsFirst && <button class="linkish muted" onClick={() => setAll(true)}>{t('moreProblems', list.length - problemsFirst)}</button>}
    </section>
  )
}

function Facts({ host: h }: { host: Host }) {
  const agent = h.state ? t('agentAnswers') : h.asked ? t('agentSilent', h.why ?? '') : t('agentNotAsked')
  const facts: [string, string | undefined][] = [
    [t('state'), h.state === 'notReady' ? `${t('notReady')}: ${h.why ?? ''}` : undefined],
    [t('subnet'), h.subnets?.join(', ')],
    [t('address'), h.public?.join(', ')],
    [t('segment'), h.segment || t('unknown')],
    [t('backend'), h.backend],
    [t('version'), h.version],
    [t('agent'), agent],
    [t('uplink'), h.uplink],
    [t('lease'), h.lease && [h.lease.held ? t('held') : t('notHeld'), h.lease.reserved ? t('reserved') : h.lease.expires ? t('expires', clockOf(h.lease.expires)) : ''].filter(Boolean).join(', ')],
    [t('mtu'), h.lease && String(h.lease.mtu)],
    [t('objects'), h.state && t('inSync', h.objects ?? 0) + (h.failed ? `, ${t('failed', h.failed)}` : '')],
  ]
  return (
    <dl class="facts">
      {facts.filter(([, v]) => v).map(([k, v]) => <div key={k}><dt>{k}</dt><dd>{v}</dd></div>)}
    </dl>
  )
}

function Paths({ title, links, other }: { title: string; links: Link[]; other: (l: Link) => string }) {
  const [open, setOpen] = useState<string | null>(null)
  const sorted = links.sort((a, b) => Number(isBad(healthNow(b))) - Number(isBad(healthNow(a))) || collate(nameOf(hostOf(other(a))), nameOf(hostOf(other(b)))) || Number(b.use ?? false) - Number(a.use ?? false))
  const shownLink = open ?? (sorted.length <= 12 || other(sorted[0]) === head.value?.self ? sorted[0]?.id : null)
  if (sorted.length === 0) return null
  return (
    <section>
      <h3>{title} <span class="muted">{sorted.length}</span></h3>
      <table class="paths">
        <thead><tr><th>{t('host')}</th><th>{t('path')}</th><th>{t('probe')}</th><th class="number">{t('rtt')}</th></tr></thead>
        <tbody>
          {sorted.slice(0, mostRows).map((l) => (
            <tr key={l.id} class={`h-${healthNow(l)} ${l.id === shownLink ? 'open' : ''}`}>
              <td><button class="linkish" onClick={() => setOpen(l.id)} aria-expanded={l.id === shownLink}>{nameOf(hostOf(other(l)))}</button></td>
              <td><span class={`kind k-${l.kind === 'direct' ? 'direct' : 'tunnel'}`}>{word(l.kind)}</span>{!l.use && <span class="muted"> {t('other')}</span>}</td>
              <td>{probeText(l)}</td>
              <td class="number">{l.state === 'passes' ? milliseconds(l.rtt) : '-'}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {sorted.length > mostRows && <p class="muted">{t('listed', mostRows, sorted.length)}</p>}
      {shownLink && <Plot key={shownLink} samples={samplesOf(shownLink)} label={`${t('plotAbout')}: ${shownLink}`} />}
    </section>
  )
}

// probeText is what probes have shown, as 'weft status' says it.
function probeText(l: Link): string {
  switch (healthNow(l)) {
    case 'none': return t('none')
    case 'lost': return l.lastAnswer ? t('lostSince', clockOf(l.lastAnswer)) : t('lost')
    case 'unknown': return l.state ? t('unmeasured') : t('notProbed')
  }
  return [(l.loss ?? 0) >= lossShown ? t('lossOf', ((l.loss ?? 0) * 100).toFixed(0)) : '', l.mtu ? `${t('mtu')} ${l.mtu}` : ''].filter(Boolean).join(', ') || t('ok')
}
