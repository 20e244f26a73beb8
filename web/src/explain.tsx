// A packet's way: its stations light up one after the other, to the broken one.
import { signal } from '@preact/signals'
import { t, word } from './i18n'
import { ask } from './live'
import { nameOf } from './model'
import { head, hostList } from './store'

interface Station { name: string; object: string; state: 'ok' | 'unknown' | 'broken'; note?: string; remedy?: string }
interface End { address: string; kind: string; host?: string; subnet?: string }
interface Explanation { source: End; destination: End; stations: Station[] | null; intact: boolean }

const form = signal({ host: '', src: '', dst: '', protocol: '', port: '' })
const result = signal<Explanation | null>(null)
const failure = signal('')
const running = signal(false)

async function run(e?: Event) {
  e?.preventDefault()
  running.value = true
  failure.value = ''
  result.value = null
  try {
    result.value = (await ask<Explanation>('explain', { ...form.value })).answer
  } catch (err) {
    failure.value = (err as Error).message
  } finally {
    running.value = false
  }
}

export function ExplainView() {
  const f = form.value
  const set = (key: keyof typeof f) => (e: { currentTarget: { value: string } }) => { form.value = { ...form.value, [key]: e.currentTarget.value } }
  return (
    <div class="view">
      <form class="toolbar ask" onSubmit={run}>
        {head.value?.lab && <HostChoice value={f.host} onChange={set('host')} />}
        <label>{t('source')}<input name="src" list="ends" value={f.src} onInput={set('src')} required autoComplete="off" /></label>
        <label>{t('destination')}<input name="dst" list="ends" value={f.dst} onInput={set('dst')} required autoComplete="off" /></label>
        <label>{t('protocol')}<select name="protocol" value={f.protocol} onChange={set('protocol')}><option value="">icmp</option><option>tcp</option><option>udp</option></select></label>
        <label>{t('port')}<input name="port" class="short" inputMode="numeric" pattern="[0-9]*" value={f.port} onInput={set('port')} /></label>
        <button class="primary" disabled={running.value}>{t('follow')}</button>
        <datalist id="ends">{hostList.value.slice(0, 300).flatMap((h) => [h.name, ...(h.subnets ?? [])].filter(Boolean).map((v) => <option key={`${h.id} ${v}`} value={v}>{nameOf(h)}</option>))}</datalist>
      </form>
      <div class="scroller text">
        {!result.value && !failure.value && <p class="empty">{running.value ? `${t('running')} …` : t('explainHint')}</p>}
        {failure.value && <p class="problem p-error" role="alert">{failure.value}</p>}
        {result.value && <Way r={result.value} />}
      </div>
    </div>
  )
}

export function HostChoice({ value, onChange }: { value: string; onChange: (e: { currentTarget: { value: string } }) => void }) {
  const names = hostList.value.filter((h) => h.asked).map(nameOf).sort()
  return <label>{t('onHost')}<select name="host" value={value || names[0]} onChange={onChange}>{names.map((n) => <option key={n}>{n}</option>)}</select></label>
}

function Way({ r }: { r: Explanation }) {
  const stations = r.stations ?? []
  const broken = stations.find((s) => s.state === 'broken')
  const doubt = stations.some((s) => s.state === 'unknown')
  return (
    <article class="way" aria-live="polite">
      <header>
        <h2><EndName e={r.source} /> <span class="muted">→</span> <EndName e={r.destination} /></h2>
        <p class={broken ? 'verdict bad' : doubt ? 'verdict warn' : 'verdict good'}>{broken ? t('brokenAt', broken.name) : doubt ? t('intactUnknown') : t('intact')}</p>
      </header>
      <ol class="stations" aria-label={t('stations')}>
        {stations.map((s, i) => (
          <li key={i} class={`station st-${s.state}`} style={{ animationDelay: `${i * 70}ms` }} data-state={s.state}>
            <i class="lamp" aria-hidden="true" />
            <div>
              <h3>{s.name} <span class="state">{t(s.state === 'ok' ? 'stationOk' : s.state === 'broken' ? 'stationBroken' : 'stationUnknown')}</span></h3>
              <code>{s.object}</code>
              {s.note && <p class="note">{s.note}</p>}
              {s.remedy && <p class="remedy"><strong>{t('remedy')}</strong> {s.remedy}</p>}
            </div>
          </li>
        ))}
      </ol>
    </article>
  )
}

function EndName({ e }: { e: End }) {
  return <span class="end"><code>{e.address}</code> {e.host && <span class="muted">{e.kind === 'host' ? t('thisHost') : word(e.host)}</span>}</span>
}
