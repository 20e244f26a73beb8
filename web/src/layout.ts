// Where segments and hosts are on the map. Pure: the same hosts and width give
// the same places.
import { type Host, collate, nameOf } from './model'

export interface Box { id: string; x: number; y: number; w: number; h: number; hosts: Host[]; columns: number }
export interface Density { chipW: number; chipH: number; gap: number; between: number; detail: 'dot' | 'name' | 'full' }
export interface Layout { boxes: Box[]; height: number; density: Density; place: (id: string) => Rect | undefined; boxOf: (id: string) => Box | undefined }
export interface Rect { x: number; y: number; w: number; h: number }

export const densities: Density[] = [
  { chipW: 10, chipH: 10, gap: 4, between: 16, detail: 'dot' },
  { chipW: 124, chipH: 28, gap: 6, between: 32, detail: 'name' },
  { chipW: 176, chipH: 58, gap: 8, between: 48, detail: 'full' },
  { chipW: 216, chipH: 58, gap: 40, between: 176, detail: 'full' },
]

// few is so many hosts that all their links can be told apart.
export const few = 12

export const headH = 36
const pad = 12

// densityFor is what fits a number of hosts at first.
export function densityFor(hosts: number): number { return hosts > 600 ? 0 : hosts > 60 ? 1 : hosts > few ? 2 : 3 }

export function groupBySegment(hosts: Host[]): { id: string; hosts: Host[] }[] {
  const groups = new Map<string, Host[]>()
  for (const h of hosts) {
    const id = h.segment ?? ''
    const g = groups.get(id)
    if (g) g.push(h)
    else groups.set(id, [h])
  }
  const out = [...groups].map(([id, list]) => ({ id, hosts: list.sort((a, b) => collate(nameOf(a), nameOf(b))) }))
  return out.sort((a, b) => (a.id === '' ? 1 : b.id === '' ? -1 : collate(a.id, b.id)))
}

export function layOut(hosts: Host[], width: number, density: Density): Layout {
  const { chipW, chipH, gap, between: spread } = density
  const room = Math.max(1, Math.floor((width - 2 * pad - spread + gap) / (chipW + gap)))
  const boxes: Box[] = []
  const index = new Map<string, [Box, number]>()
  const groups = groupBySegment(hosts)
  const tall = density === densities[3] && groups.length > 1 // so that links between segments pass by no host
  let x = spread / 2, y = Math.min(spread / 2, 32), shelf = 0
  for (const g of groups) {
    const ideal = tall ? 1 : Math.ceil(Math.sqrt((g.hosts.length * (chipH + gap) * 1.6) / (chipW + gap)))
    const least = Math.ceil((128 + gap) / (chipW + gap)) // room for the segment's name
    // As many boxes go on a shelf as come closest to that form.
    const shelves = Math.max(1, Math.min(groups.length, Math.round(width / (ideal * (chipW + gap) + 2 * pad + spread))))
    const shared = Math.floor((width / shelves - spread - 2 * pad + gap) / (chipW + gap))
    const columns = Math.min(room, Math.max(least, Math.min(ideal, Math.max(1, shared))))
    const w = columns * (chipW + gap) - gap + 2 * pad
    const h = headH + Math.ceil(g.hosts.length / columns) * (chipH + gap) - gap + pad
    if (x > spread / 2 && x + w > width - spread / 2) { x = spread / 2; y += shelf + Math.min(spread, 64); shelf = 0 }
    const box: Box = { id: g.id, x, y, w, h, hosts: g.hosts, columns }
    boxes.push(box)
    g.hosts.forEach((one, i) => index.set(one.id, [box, i]))
    x += w + spread
    shelf = Math.max(shelf, h)
  }
  if (boxes.length > 0 && boxes.every((b) => b.y === boxes[0].y)) { // one shelf stands in the middle
    const left = boxes[0].x, right = x - spread
    const spare = Math.max(0, Math.floor((width - (right - left)) / 2) - left)
    for (const b of boxes) b.x += spare
  }
  return {
    boxes, density, height: y + shelf + Math.min(spread / 2, 32),
    boxOf: (id) => index.get(id)?.[0],
    place: (id) => {
      const at = index.get(id)
      return at && rectIn(at[0], at[1], density)
    },
  }
}

export function rectIn(b: Box, i: number, d: Density): Rect {
  return { x: b.x + pad + (i % b.columns) * (d.chipW + d.gap), y: b.y + headH + Math.floor(i / b.columns) * (d.chipH + d.gap), w: d.chipW, h: d.chipH }
}

// within returns the hosts of a box that are between two heights.
export function within(b: Box, d: Density, top: number, bottom: number): [number, number] {
  const row = d.chipH + d.gap
  const first = Math.max(0, Math.floor((top - b.y - headH) / row))
  const last = Math.ceil((bottom - b.y - headH) / row)
  return [Math.min(b.hosts.length, first * b.columns), Math.max(0, Math.min(b.hosts.length, last * b.columns))]
}

// hit returns the host at a point, if there is one.
export function hit(l: Layout, x: number, y: number): Host | undefined {
  const b = l.boxes.find((one) => x >= one.x && x < one.x + one.w && y >= one.y + headH && y < one.y + one.h)
  if (!b) return undefined
  const d = l.density
  const column = Math.floor((x - b.x - pad) / (d.chipW + d.gap)), row = Math.floor((y - b.y - headH) / (d.chipH + d.gap))
  return column < 0 || column >= b.columns ? undefined : b.hosts[row * b.columns + column]
}

// curve is the line of a link between two places: a bow, so that both
// directions and links that would cover each other can be told apart.
export function curve(a: Rect, b: Rect): string {
  const ax = a.x + a.w / 2, ay = a.y + a.h / 2, bx = b.x + b.w / 2, by = b.y + b.h / 2
  const dx = bx - ax, dy = by - ay, far = Math.hypot(dx, dy) || 1
  const [sx, sy] = edge(a, dx, dy), [ex, ey] = edge(b, -dx, -dy)
  const bow = Math.min(28, far * 0.08)
  const mx = (sx + ex) / 2 + (-dy / far) * bow, my = (sy + ey) / 2 + (dx / far) * bow
  return `M${sx.toFixed(1)} ${sy.toFixed(1)}Q${mx.toFixed(1)} ${my.toFixed(1)} ${ex.toFixed(1)} ${ey.toFixed(1)}`
}

// edge is where a line from the middle of a rectangle leaves it.
function edge(r: Rect, dx: number, dy: number): [number, number] {
  const s = Math.min(dx ? (r.w / 2 + 2) / Math.abs(dx) : Infinity, dy ? (r.h / 2 + 2) / Math.abs(dy) : Infinity)
  return [r.x + r.w / 2 + dx * Math.min(s, 0.5), r.y + r.h / 2 + dy * Math.min(s, 0.5)]
}
