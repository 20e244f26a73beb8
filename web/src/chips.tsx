import { word, t } from './i18n'
import { type Box, type Layout, rectIn, within } from './layout'
import { Glyph } from './legend'
import { type Host, nameOf, stateOf } from './model'
import { head, hubs, selected } from './store'
import type { Viewport } from './viewport'

const margin = 300 // pixels above and below what is seen that are there already

// Chips are the segments that are seen, and their hosts.
export function Chips({ layout, seen }: { layout: Layout; seen: Viewport }) {
  const top = seen.top - margin, bottom = seen.top + seen.height + margin
  return (
    <div class="chips" onKeyDown={(e) => move(e, layout)}>
      {layout.boxes.filter((b) => b.y < bottom && b.y + b.h > top).map((b) => (
        <section key={b.id} class={`segment ${b.id ? '' : 'unknown'}`} data-segment={b.id} style={{ transform: `translate(${b.x}px,${b.y}px)`, width: `${b.w}px`, height: `${b.h}px` }}
          aria-label={b.id ? `${t('segment')} ${b.id}, ${t('hosts', b.hosts.length)}` : `${t('segmentUnknown')}, ${t('hosts', b.hosts.length)}`}>
          <h2><span class="name">{b.id || t('segmentUnknown')}</span> <span class="muted">{b.hosts.length}</span></h2>
          {layout.density.detail !== 'dot' && <Hosts box={b} layout={layout} top={top} bottom={bottom} />}
        </section>
      ))}
    </div>
  )
}

function Hosts({ box, layout, top, bottom }: { box: Box; layout: Layout; top: number; bottom: number }) {
  const [first, last] = within(box, layout.density, top, bottom)
  return (
    <>
      {box.hosts.slice(first, last).map((h, i) => {
        const r = rectIn(box, first + i, layout.density)
        return <Chip key={h.id} host={h} full={layout.density.detail === 'full'} style={{ left: `${r.x - box.x - 1}px`, top: `${r.y - box.y - 1}px`, width: `${r.w}px`, height: `${r.h}px` }} />
      })}
    </>
  )
}

function Chip({ host: h, full, style }: { host: Host; full: boolean; style: Record<string, string> }) {
  const state = stateOf(h), self = h.id === head.value?.self && !head.value?.lab
  const lost = hubs.value.get(h.id)
  const about = [nameOf(h), h.subnets?.join(', '), word(state), lost ? t('lostPaths', lost) : '', self ? t('thisHost') : '', h.version].filter(Boolean).join(', ')
  return (
    <button class={`chip ${full ? '' : 'small'} s-${state} ${lost ? 'hub' : ''} ${self ? 'self' : ''}`} style={style} data-id={h.id} data-host={nameOf(h)} data-state={state} aria-label={about} title={h.why || about}
      aria-pressed={selected.value === h.id} onClick={() => { selected.value = selected.value === h.id ? null : h.id }}>
      <Glyph state={state} />
      <span class="name">{nameOf(h)}</span>
      {lost && <span class="lost-count">{lost}</span>}
      {full && !lost && <span class={self ? 'tag' : 'version'}>{self ? t('thisHost') : (h.version ?? '')}</span>}
      {full && <span class="sub"><code>{h.subnets?.[0] ?? ''}</code></span>}
    </button>
  )
}

// move goes from host to host by arrow keys.
function move(e: KeyboardEvent, layout: Layout) {
  const id = (e.target as HTMLElement).dataset.id
  const next = id && neighbour(layout, id, e.key)
  if (!next) return
  e.preventDefault()
  const plane = e.currentTarget as HTMLElement
  const r = layout.place(next)!
  const scroller = plane.closest('.scroller')
  if (scroller && (r.y < scroller.scrollTop || r.y + r.h > scroller.scrollTop + scroller.clientHeight)) scroller.scrollTop = r.y - 80
  requestAnimationFrame(() => requestAnimationFrame(() => (plane.querySelector(`[data-id="${CSS.escape(next)}"]`) as HTMLElement | null)?.focus({ preventScroll: true })))
}

// neighbour returns the ID of the host that an arrow key leads to, also into the
// next segment.
export function neighbour(layout: Layout, id: string, key: string): string | undefined {
  const b = layout.boxOf(id)
  if (!b) return undefined
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: b.columns, ArrowUp: -b.columns }[key]
  if (!step) return undefined
  const i = b.hosts.findIndex((h) => h.id === id) + step
  if (b.hosts[i]) return b.hosts[i].id
  const next = layout.boxes[layout.boxes.indexOf(b) + Math.sign(step)]
  return next && (step > 0 ? next.hosts[0] : next.hosts[next.hosts.length - 1]).id
}
