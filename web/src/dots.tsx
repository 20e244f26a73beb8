// Hosts as dots, for many: one canvas of the size of what is seen.
import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { neighbour } from './chips'
import { t, word } from './i18n'
import { type Layout, hit, rectIn, within } from './layout'
import { nameOf, stateOf } from './model'
import { hostOf, hubs, selected } from './store'
import { type Viewport, colours, fit, scheme } from './viewport'

const cursor = signal<string | null>(null) // the host that keys or the pointer are on

const ahead = 400 // pixels

const tokens = { ready: 'ready', degraded: 'warn', notReady: 'lost', unknown: 'unknown' }

export function Dots({ layout, seen }: { layout: Layout; seen: Viewport }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const at = cursor.value, chosen = selected.value, badly = hubs.value
  // The canvas is larger than what is seen and scrolls with it, so that it is drawn anew only now and then.
  const top = Math.max(0, Math.floor(seen.top / ahead) * ahead - ahead)
  const height = Math.min(seen.height + 3 * ahead, Math.ceil(layout.height) - top)
  useEffect(() => { if (canvas.current && seen.width) draw(canvas.current, layout, { left: 0, top, width: seen.width, height }, at, chosen, badly) }, [layout, seen.width, top, height, at, chosen, badly, scheme.value])
  const under = (e: MouseEvent) => {
    const r = canvas.current!.getBoundingClientRect()
    return hit(layout, e.clientX - r.left, e.clientY - r.top + top)?.id ?? null
  }
  const key = (e: KeyboardEvent) => {
    if (e.key === 'Enter' && cursor.value) selected.value = cursor.value
    const from = cursor.value ?? selected.value ?? layout.boxes[0]?.hosts[0]?.id
    const next = from && (cursor.value ? neighbour(layout, from, e.key) : e.key.startsWith('Arrow') ? from : undefined)
    if (!next) return
    e.preventDefault()
    cursor.value = next
    const r = layout.place(next)!, scroller = canvas.current!.closest('.scroller')!
    if (r.y < scroller.scrollTop + 40 || r.y + r.h > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = r.y - scroller.clientHeight / 2
  }
  const h = hostOf(at)
  const about = h ? `${nameOf(h)}, ${h.subnets?.join(', ') ?? ''}, ${word(stateOf(h))}` : t('hosts', layout.boxes.reduce((n, b) => n + b.hosts.length, 0))
  const place = at ? layout.place(at) : undefined
  return (
    <>
      <canvas ref={canvas} class="dots" style={{ top: `${top}px` }} tabIndex={0} role="application" aria-label={about} onKeyDown={key}
        onMouseMove={(e) => { cursor.value = under(e) }} onMouseLeave={() => { cursor.value = null }}
        onClick={(e) => { const id = under(e); selected.value = id === selected.value ? null : id }} />
      {h && place && <div class="tip" style={{ left: `${Math.min(place.x + 14, seen.width - 260)}px`, top: `${place.y + 16}px` }}>{about}</div>}
      <span class="unseen" aria-live="polite">{h ? about : ''}</span>
    </>
  )
}

function draw(canvas: HTMLCanvasElement, layout: Layout, seen: Viewport, at: string | null, chosen: string | null, badly: Map<string, number>) {
  const c = fit(canvas, seen.width, seen.height), colour = colours(canvas)
  const fills = Object.fromEntries(Object.entries(tokens).map(([state, name]) => [state, colour(name)]))
  const d = layout.density
  c.translate(-seen.left, -seen.top)
  for (const b of layout.boxes) {
    if (b.y > seen.top + seen.height || b.y + b.h < seen.top) continue
    const [first, last] = within(b, d, seen.top, seen.top + seen.height)
    for (let i = first; i < last; i++) {
      const h = b.hosts[i], r = rectIn(b, i, d), state = stateOf(h)
      c.fillStyle = c.strokeStyle = fills[state]
      if (badly.has(h.id)) { c.fillStyle = fills.notReady; c.fillRect(r.x - 1, r.y - 1, r.w + 2, r.h + 2) }
      else if (state === 'unknown') c.strokeRect(r.x + 1.5, r.y + 1.5, r.w - 3, r.h - 3)
      else c.fillRect(r.x, r.y, r.w, r.h)
      if (h.id === at || h.id === chosen) {
        c.strokeStyle = colour('accent')
        c.lineWidth = 2
        c.strokeRect(r.x - 2, r.y - 2, r.w + 4, r.h + 4)
        c.lineWidth = 1
      }
    }
  }
}
