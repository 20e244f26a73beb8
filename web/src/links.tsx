// The links that are drawn: what is slow or broken, and what the selected host has.
import { t, word } from './i18n'
import { type Layout, curve, few } from './layout'
import { isBad, nameOf } from './model'
import { type Pair, badPairs, hostList, hostOf, hubs, pairs, selected, shown } from './store'

const most = 400 // lines; more tell no more

// Line is one or both directions between two hosts.
interface Line { key: string; a: Pair; both: boolean }

function lines(): { list: Line[]; left: number } {
  const chosen = selected.value
  const wanted: Pair[] = []
  if (chosen !== null) {
    for (const p of pairs.value.get(chosen)?.values() ?? []) wanted.push(p)
    for (const row of pairs.value.values()) { const p = row.get(chosen); if (p) wanted.push(p) }
    wanted.sort((a, b) => rank(a) - rank(b))
  }
  for (const p of badPairs.value) if (p.from !== chosen && p.to !== chosen && !hubs.value.has(p.from) && !hubs.value.has(p.to)) wanted.push(p)
  if (chosen === null && hostList.value.length <= few) for (const row of pairs.value.values()) for (const p of row.values()) if (!isBad(p.health)) wanted.push(p)
  const out = new Map<string, Line>()
  let left = 0
  for (const p of wanted) {
    const [x, y] = [p.from, p.to].sort()
    const key = `${x} ${y} ${p.health} ${p.kind}`
    const same = out.get(key)
    if (same) same.both = true
    else if (out.size < most) out.set(key, { key, a: p, both: false })
    else left++
  }
  return { list: [...out.values()].reverse(), left } // what is worst is on top
}

function rank(p: Pair): number { return { lost: 0, none: 1, slow: 2, unknown: 3, ok: 4 }[p.health] }

export function Links({ layout, width }: { layout: Layout; width: number }) {
  shown.value
  const { list, left } = lines()
  return (
    <>
      <svg class="links" width={width} height={layout.height} role="group" aria-label={t('path')}>
        {list.map(({ key, a, both }) => {
          const from = layout.place(a.from), to = layout.place(a.to)
          if (!from || !to) return null
          const name = `${nameOf(hostOf(a.from))} ${both ? '↔' : '→'} ${nameOf(hostOf(a.to))}: ${word(a.kind)}, ${word(a.health)}`
          return (
            <g key={key} class={`link h-${a.health} k-${a.kind === 'direct' ? 'direct' : 'tunnel'}`} role="img" aria-label={name}
              data-from={nameOf(hostOf(a.from))} data-to={nameOf(hostOf(a.to))} data-health={a.health}>
              <title>{name}</title>
              <path class="wide-line" d={curve(from, to)} />
              <path class="line" d={curve(from, to)} />
            </g>
          )
        })}
      </svg>
      {left > 0 && <p class="left muted">{t('moreLinks', left)}</p>}
    </>
  )
}
