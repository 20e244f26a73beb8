// The matrix: a row is a host that sends, a column one that receives. Only the
// cells that are seen are drawn.
import { signal } from '@preact/signals'
import { useCallback, useEffect, useMemo, useRef } from 'preact/hooks'
import { found } from './find'
import { milliseconds, t, word } from './i18n'
import { groupBySegment } from './layout'
import { Legend } from './legend'
import { type Host, nameOf } from './model'
import { type Pair, pairs, selected } from './store'
import { Toolbar } from './toolbar'
import { Worst } from './worst'
import { type Viewport, colours, fit, scheme, useViewport } from './viewport'

const size = signal<number | null>(null) // pixels of a cell; null: what fits
const least = 2, largest = 40
const cell = signal<{ row: number; column: number } | null>(null)

const label = (n: number) => (n >= 9 ? 116 : 16) // pixels for names, where cells are large enough for them

export function MatrixView() {
  const scroller = useRef<HTMLDivElement>(null), canvas = useRef<HTMLCanvasElement>(null)
  const seen = useViewport(scroller)
  const hosts = useMemo(() => groupBySegment(found.value).flatMap((g) => g.hosts), [found.value])
  const px = size.value ?? fitting(hosts.length, Math.min(seen.width, seen.height)), margin = label(px)
  const step = useCallback((by: number) => { size.value = clamp(Math.round(px * (by > 0 ? 1.5 : 1 / 1.5) * 2) / 2) }, [px])
  const at = cell.value, all = pairs.value, chosen = selected.value
  useEffect(() => { if (canvas.current && seen.width) draw(canvas.current, hosts, all, px, margin, seen, at, chosen) }, [hosts, all, px, margin, seen, at, chosen, scheme.value])
  const under = (e: MouseEvent) => {
    const r = canvas.current!.getBoundingClientRect(), x = e.clientX - r.left, y = e.clientY - r.top
    const column = Math.floor((x + seen.left - margin) / px), row = Math.floor((y + seen.top - margin) / px)
    return x < margin || y < margin || !hosts[row] || !hosts[column] ? null : { row, column }
  }
  const key = (e: KeyboardEvent) => {
    const d = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[e.key]
    if (e.key === 'Enter' && cell.value) selected.value = hosts[cell.value.row].id
    if (!d) return
    e.preventDefault()
    const now = cell.value ?? { row: 0, column: -1 }
    const inside = (n: number) => Math.max(0, Math.min(hosts.length - 1, n))
    cell.value = { row: inside(now.row + d[0]), column: inside(now.column + d[1]) }
    const el = scroller.current!, x = cell.value.column * px, y = cell.value.row * px
    el.scrollTo({ left: keep(el.scrollLeft, x, el.clientWidth - margin - px), top: keep(el.scrollTop, y, el.clientHeight - margin - px) })
  }
  const text = at && hosts[at.row] && hosts[at.column] ? about(hosts[at.row], hosts[at.column], all) : ''
  const side = hosts.length * px + margin
  return (
    <div class="view">
      <Toolbar zoom={step}><span class="readout" aria-live="polite">{text}</span></Toolbar>
      <div class="beside">
        <div class="scroller" ref={scroller} data-hosts={hosts.length}>
          <div class="plane" style={{ width: `${side}px`, height: `${side}px` }}>
            <canvas ref={canvas} class="grid" tabIndex={0} role="application" aria-label={`${t('matrix')}: ${t('from')} / ${t('to')}. ${text}`} onKeyDown={key}
              onMouseMove={(e) => { cell.value = under(e) }} onMouseLeave={() => { cell.value = null }}
              onClick={(e) => { const u = under(e); if (u) selected.value = hosts[u.row].id }} />
          </div>
        </div>
        {chosen === null && <Worst />}
      </div>
      <Legend />
    </div>
  )
}

function clamp(n: number): number { return Math.max(least, Math.min(largest, n)) }

// fitting is the largest cell, in halves of pixels, with which all hosts are seen.
function fitting(hosts: number, room: number): number {
  const half = (n: number) => clamp(Math.floor((n / Math.max(1, hosts)) * 2) / 2)
  const named = half(room - label(largest))
  return named >= 9 ? named : Math.min(8.5, half(room - label(least)))
}

function keep(now: number, want: number, room: number): number { return want < now ? want : want > now + room ? want - room : now }

function about(from: Host, to: Host, all: Map<string, Map<string, Pair>>): string {
  if (from.id === to.id) return nameOf(from)
  const p = all.get(from.id)?.get(to.id)
  if (!p) return `${nameOf(from)} → ${nameOf(to)}: ${t('unknown')}`
  const rtt = Math.max(...p.links.map((l) => l.rtt ?? 0))
  return `${nameOf(from)} → ${nameOf(to)}: ${word(p.kind)}, ${word(p.health)}${rtt && p.health !== 'lost' ? `, ${milliseconds(rtt)}` : ''}`
}

function draw(canvas: HTMLCanvasElement, hosts: Host[], all: Map<string, Map<string, Pair>>, px: number, margin: number, seen: Viewport, at: { row: number; column: number } | null, chosen: string | null) {
  const c = fit(canvas, seen.width, seen.height), colour = colours(canvas)
  const fill: Record<string, string> = { lost: colour('lost'), none: colour('lost'), slow: colour('warn'), direct: colour('direct'), tunnel: colour('tunnel'), faint: colour('faint'), self: colour('line') }
  const gap = px > 9 ? 2 : px > 4 ? 1 : 0.5
  const firstRow = Math.floor(seen.top / px), firstColumn = Math.floor(seen.left / px)
  const lastRow = Math.min(hosts.length, Math.ceil((seen.top + seen.height - margin) / px)), lastColumn = Math.min(hosts.length, Math.ceil((seen.left + seen.width - margin) / px))
  c.save()
  c.beginPath()
  c.rect(margin, margin, seen.width, seen.height)
  c.clip()
  for (let i = firstRow; i < lastRow; i++) {
    const row = all.get(hosts[i].id)
    for (let j = firstColumn; j < lastColumn; j++) {
      const x = margin + j * px - seen.left, y = margin + i * px - seen.top
      const p = row?.get(hosts[j].id)
      c.fillStyle = i === j ? fill.self : !p ? fill.faint : p.health === 'lost' || p.health === 'none' || p.health === 'slow' ? fill[p.health] : p.kind === 'direct' ? fill.direct : fill.tunnel
      if (!p && i !== j) c.fillRect(x + px * 0.35, y + px * 0.35, px * 0.3, px * 0.3)
      else if (p?.health === 'unknown' || p?.health === 'ok') { // what is well is pale, so that the rest stands out
        c.globalAlpha = p.health === 'ok' ? 0.55 : 0.2
        c.fillRect(x, y, px - gap, px - gap)
        c.globalAlpha = 1
      }
      else c.fillRect(x, y, px - gap, px - gap)
    }
  }
  if (at && hosts[at.row]) {
    c.strokeStyle = colour('accent')
    c.lineWidth = 2
    c.strokeRect(margin + at.column * px - seen.left - 1, margin + at.row * px - seen.top - 1, px + 2 - gap, px + 2 - gap)
  }
  c.restore()
  if (px >= 9) names(c, hosts, px, margin, seen, at, chosen, colour, [firstRow, lastRow, firstColumn, lastColumn])
}

function names(c: CanvasRenderingContext2D, hosts: Host[], px: number, margin: number, seen: Viewport, at: { row: number; column: number } | null, chosen: string | null, colour: (n: string) => string, [r0, r1, c0, c1]: number[]) {
  c.font = `${Math.min(13, Math.max(9, px - 2))}px system-ui, sans-serif`
  c.textBaseline = 'middle'
  const put = (h: Host, on: boolean) => {
    c.fillStyle = on || h.id === chosen ? colour('text') : colour('muted')
    c.fillText(nameOf(h), 0, 0, margin - 14)
  }
  c.save()
  c.beginPath(); c.rect(0, margin, margin, seen.height); c.clip()
  c.textAlign = 'right'
  for (let i = r0; i < r1; i++) { c.save(); c.translate(margin - 8, margin + i * px - seen.top + px / 2); put(hosts[i], at?.row === i); c.restore() }
  c.restore()
  c.save()
  c.beginPath(); c.rect(margin, 0, seen.width, margin); c.clip()
  c.textAlign = 'left'
  for (let j = c0; j < c1; j++) { c.save(); c.translate(margin + j * px - seen.left + px / 2, margin - 8); c.rotate(-Math.PI / 2); put(hosts[j], at?.column === j); c.restore() }
  c.restore()
}
