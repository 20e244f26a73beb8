// The time line: what happened when, and the moment that is shown.
import { useEffect, useRef, useState } from 'preact/hooks'
import { clockOf, t } from './i18n'
import type { Key } from './i18n'
import type { Event } from './model'
import { at, events, keyOf, opened } from './store'
import { colours, fit, scheme } from './viewport'

export const lanes: { name: Key; kinds: string[] }[] = [
  { name: 'lanePaths', kinds: ['path-lost', 'path-back', 'path-slower', 'path-changed'] },
  { name: 'laneKernel', kinds: ['drift', 'repaired', 'applied', 'kernel'] },
  { name: 'lanePeers', kinds: ['peers', 'peer-joined', 'peer-left', 'peer-moved'] },
  { name: 'laneConfig', kinds: ['config', 'config-changed', 'lease', 'draining', 'store', 'uplink'] },
]

export function laneOf(e: Event): number {
  const i = lanes.findIndex((l) => l.kinds.includes(e.kind))
  return i < 0 ? -1 : i
}

// toneOf is the colour of an event.
export function toneOf(e: Event): string {
  if (e.kind === 'path-lost' || e.level === 'error') return 'lost'
  if (e.kind === 'path-back' || e.kind === 'problem-solved' || e.kind === 'ready') return 'ready'
  return e.level === 'warn' ? 'warn' : 'muted'
}

const rowH = 11

export function Timeline() {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [width, setWidth] = useState(0)
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 2000)
    const sizes = new ResizeObserver(() => setWidth(canvas.current?.parentElement?.clientWidth ?? 0))
    sizes.observe(canvas.current!.parentElement!)
    return () => { clearInterval(timer); sizes.disconnect() }
  }, [])
  const list = events.value
  const first = Math.min(list.length ? Date.parse(list[0].at) : opened, opened) - 2000
  const moment = at.value
  useEffect(() => { if (canvas.current && width) draw(canvas.current, width, list, first, now, moment) }, [width, list, first, now, moment, scheme.value])
  const scrub = (value: number) => { at.value = value >= Date.now() - 1000 ? null : value }
  const seek = (e: MouseEvent) => {
    const r = canvas.current!.getBoundingClientRect()
    scrub(first + ((e.clientX - r.left) / r.width) * (now - first))
  }
  const near = nearest(list, moment)
  return (
    <section class="timeline" aria-label={t('timeline')}>
      <div class="lanes" aria-hidden="true">{lanes.map((l) => <span key={l.name}>{t(l.name)}</span>)}</div>
      <div class="track">
        <canvas ref={canvas} onPointerDown={(e) => { e.currentTarget.setPointerCapture(e.pointerId); seek(e) }} onPointerMove={(e) => { if (e.buttons) seek(e) }} />
        <input type="range" min={first} max={now} step={1000} value={moment ?? now} aria-label={t('scrub')} aria-valuetext={moment === null ? t('now') : clockOf(moment)}
          onInput={(e) => scrub(Number(e.currentTarget.value))} />
        <div class="ends"><span>{clockOf(first)}</span>{moment !== null && <strong>{clockOf(moment)}</strong>}<span>{t('now')}</span></div>
      </div>
      <div class="latest" aria-live="polite">
        {moment !== null && moment < opened && <p class="muted">{t('beforeOpen')}</p>}
        {near.map((e) => <EventLine key={keyOf(e)} e={e} />)}
        {list.length === 0 && <p class="muted">{t('noEvents')}</p>}
      </div>
    </section>
  )
}

function nearest(list: Event[], moment: number | null): Event[] {
  const told = list.filter((e) => moment === null || Date.parse(e.at) <= moment + 500)
  return told.slice(-3).reverse()
}

export function EventLine({ e }: { e: Event }) {
  return (
    <p class="event" title={`${e.message} ${detail(e)}`}>
      <i class={`mark t-${toneOf(e)}`} aria-hidden="true" /><time>{clockOf(e.at)}</time> <b>{e.host}</b> {e.message} <span class="muted">{detail(e)}</span>
    </p>
  )
}

// detail is what an event has beside its message, who did it last.
export function detail(e: Event): string {
  const parts = [e.object, e.peer, e.subnet, e.subject, e.key && `${e.key}:`, e.from && `${e.from} →`, e.to, e.fields?.path, e.error, e.more ? `+${e.more}` : '']
  return parts.filter(Boolean).join(' ') + (e.by ? ` · ${t('who')} ${e.by}` : '')
}

function draw(canvas: HTMLCanvasElement, width: number, list: Event[], first: number, now: number, moment: number | null) {
  const height = rowH * lanes.length
  const c = fit(canvas, width, height), colour = colours(canvas)
  const x = (when: number) => ((when - first) / (now - first)) * width
  c.fillStyle = colour('line')
  for (let i = 0; i < lanes.length; i++) c.fillRect(0, i * rowH + rowH / 2, width, 1)
  c.fillStyle = colour('faint')
  c.fillRect(x(opened), 0, 1, height)
  for (const e of list) {
    const lane = laneOf(e)
    if (lane < 0) continue
    c.fillStyle = colour(toneOf(e))
    c.beginPath()
    c.arc(Math.min(width - 4, Math.max(4, x(Date.parse(e.at)))), lane * rowH + rowH / 2 + 0.5, 3, 0, 7)
    c.fill()
  }
  if (moment !== null) { c.fillStyle = colour('accent'); c.fillRect(x(moment) - 1, 0, 2, height) }
}
