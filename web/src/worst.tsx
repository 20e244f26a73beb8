// What is wrong, as a list beside the matrix: hosts that most others do not reach,
// then single paths.
import { t, word } from './i18n'
import { Glyph } from './legend'
import { type Health, nameOf, stateOf } from './model'
import { badPairs, hostOf, hubs, selected } from './store'

const most = 60
const order: Record<Health, number> = { lost: 0, none: 1, slow: 2, unknown: 3, ok: 4 }

export function Worst() {
  const dead = [...hubs.value].sort((a, b) => b[1] - a[1])
  const single = badPairs.value.filter((p) => !hubs.value.has(p.from) && !hubs.value.has(p.to)).sort((a, b) => order[a.health] - order[b.health])
  if (dead.length + single.length === 0) return null
  return (
    <aside class="worst" aria-label={t('worst')}>
      <h2>{t('worst')}</h2>
      <ul>
        {dead.slice(0, most).map(([id, n]) => (
          <li key={id}><button class="linkish" onClick={() => { selected.value = id }}><Glyph state={stateOf(hostOf(id)!)} /> <b>{nameOf(hostOf(id))}</b> <span class="bad">{t('lostPaths', n)}</span></button></li>
        ))}
        {single.slice(0, most).map((p) => (
          <li key={`${p.from} ${p.to}`}>
            <button class="linkish" onClick={() => { selected.value = p.to }}>
              {nameOf(hostOf(p.from))} <span class="muted">→</span> {nameOf(hostOf(p.to))} <span class={p.health === 'slow' ? 'warn' : 'bad'}>{word(p.health)}</span>
            </button>
          </li>
        ))}
      </ul>
      {single.length > most && <p class="muted">{t('listed', most, single.length)}</p>}
    </aside>
  )
}
