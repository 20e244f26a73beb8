// A small plot of a link: round trips as a line, loss as an area.
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { clockOf, t } from './i18n'
import type { Samples } from './store'
import { colours, scheme } from './viewport'

export function Plot({ samples, label }: { samples: Samples | undefined; label: string }) {
  const place = useRef<HTMLDivElement>(null), plot = useRef<uPlot | null>(null)
  const count = samples?.t.length ?? 0, last = samples?.t[count - 1]
  const drawn = count > 1
  useEffect(() => {
    if (!place.current || !drawn) return
    const colour = colours(place.current)
    const axis = { stroke: colour('muted'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false }, font: '11px system-ui', size: 28 }
    plot.current = new uPlot({
      width: place.current.clientWidth || 320, height: 108, legend: { show: false }, cursor: { y: false },
      scales: { x: { time: true }, ms: { range: (_, __, max) => [0, Math.max(max * 1.2, 0.1)] }, loss: { range: [0, 100] } },
      axes: [{ ...axis, size: 22, space: 70, values: (_, v) => v.map((s) => clockOf(s * 1000)) }, { ...axis, scale: 'ms', size: 40, values: (_, v) => v.map((n) => `${n}`) }],
      series: [
        {},
        { label: 'ms', scale: 'ms', stroke: colour('accent'), width: 1.5, points: { show: false }, spanGaps: false },
        { label: '%', scale: 'loss', stroke: colour('lost'), fill: colour('lost-faint'), width: 1, points: { show: false }, paths: uPlot.paths.stepped!({ align: 1 }) },
      ],
    }, [[], [], []], place.current)
    const sizes = new ResizeObserver(() => place.current && plot.current?.setSize({ width: place.current.clientWidth, height: 108 }))
    sizes.observe(place.current)
    return () => { sizes.disconnect(); plot.current?.destroy(); plot.current = null }
  }, [drawn, scheme.value])
  useEffect(() => {
    if (plot.current && samples) plot.current.setData([samples.t.map((x) => x / 1000), samples.rtt, samples.loss] as uPlot.AlignedData)
  }, [last, drawn, scheme.value])
  return (
    <figure class="plot" aria-label={label}>
      <figcaption class="muted">{t('plotAbout')} <span class="spring" /><span class="rtt-key">ms</span> <span class="loss-key">{t('loss')}</span></figcaption>
      {drawn ? <div ref={place} /> : <p class="muted">{t('plotEmpty')}</p>}
    </figure>
  )
}
