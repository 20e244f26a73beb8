// The map: segments as boxes with hosts in them. Only what is seen is in the
// document, so that it makes no difference whether there are 40 hosts or 10,000.
import { signal } from '@preact/signals'
import { useCallback, useEffect, useMemo, useRef } from 'preact/hooks'
import { Chips } from './chips'
import { Dots } from './dots'
import { found } from './find'
import { t } from './i18n'
import { densities, densityFor, layOut } from './layout'
import { Legend } from './legend'
import { Links } from './links'
import { selected } from './store'
import { Toolbar } from './toolbar'
import { useViewport } from './viewport'

const zoom = signal<number | null>(null) // index of densities; null: what fits

export function MapView() {
  const scroller = useRef<HTMLDivElement>(null)
  const seen = useViewport(scroller)
  const hosts = found.value
  const level = zoom.value ?? densityFor(hosts.length)
  const width = Math.max(seen.width, 320)
  const layout = useMemo(() => layOut(hosts, width, densities[level]), [hosts, width, level])
  const step = useCallback((by: number) => {
    zoom.value = Math.max(0, Math.min(densities.length - 1, (zoom.peek() ?? densityFor(found.peek().length)) + by))
  }, [])
  const id = selected.value
  useEffect(() => { // what is selected is seen
    const r = id === null ? undefined : layout.place(id)
    const el = scroller.current
    if (r && el && (r.y < el.scrollTop || r.y + r.h > el.scrollTop + el.clientHeight)) el.scrollTop = r.y - el.clientHeight / 2
  }, [id, layout])
  const dots = densities[level].detail === 'dot'
  return (
    <div class="view">
      <Toolbar zoom={step} />
      <div class="scroller" ref={scroller} data-hosts={hosts.length}>
        <div class="plane" style={{ height: `${layout.height}px` }}>
          {dots && <Dots layout={layout} seen={seen} />}
          <Chips layout={layout} seen={seen} />
          <Links layout={layout} width={width} />
        </div>
        {hosts.length === 0 && <p class="empty">{t('matches', 0)}</p>}
      </div>
      <Legend />
    </div>
  )
}
