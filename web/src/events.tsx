import { signal } from '@preact/signals'
import { clockOf, t } from './i18n'
import { type Event } from './model'
import { at, events, keyOf } from './store'
import { detail, lanes, laneOf, toneOf } from './timeline'

const lane = signal(-2) // index of lanes, -1 what is in none, -2 all
const words = signal('')
const most = 500

export function EventsView() {
  const filter = words.value.toLowerCase()
  const list = events.value.filter((e) =>
    (lane.value === -2 || laneOf(e) === lane.value) && (at.value === null || Date.parse(e.at) <= at.value) &&
    (!filter || `${e.host} ${e.message} ${e.kind} ${detail(e)}`.toLowerCase().includes(filter)))
  return (
    <div class="view">
      <div class="toolbar" role="search">
        <input type="search" placeholder={t('filter')} aria-label={t('filter')} value={words.value} onInput={(e) => { words.value = e.currentTarget.value }} />
        <select aria-label={t('filter')} value={lane.value} onChange={(e) => { lane.value = Number(e.currentTarget.value) }}>
          <option value={-2}>{t('allKinds')}</option>
          {lanes.map((l, i) => <option key={l.name} value={i}>{t(l.name)}</option>)}
          <option value={-1}>{t('laneOther')}</option>
        </select>
        <span class="muted">{t('listed', Math.min(most, list.length), events.value.length)}</span>
      </div>
      <div class="scroller text">
        <table class="events">
          <thead><tr><th>{t('time')}</th><th>{t('host')}</th><th>{t('what')}</th><th>{t('who')}</th></tr></thead>
          <tbody>{list.slice(-most).reverse().map((e) => <Row key={keyOf(e)} e={e} />)}</tbody>
        </table>
        {list.length === 0 && <p class="empty">{t('noEvents')}</p>}
      </div>
    </div>
  )
}

function Row({ e }: { e: Event }) {
  const { by, ...rest } = e
  return (
    <tr data-kind={e.kind}>
      <td><button class="linkish" title={t('scrub')} onClick={() => { at.value = Date.parse(e.at) + 1 }}><i class={`mark t-${toneOf(e)}`} aria-hidden="true" /><time dateTime={e.at}>{clockOf(e.at)}</time></button></td>
      <td>{e.host}</td>
      <td>{e.message} <code class="muted">{detail(rest as Event)}</code></td>
      <td>{by && <code class="by">{by}</code>}</td>
    </tr>
  )
}
