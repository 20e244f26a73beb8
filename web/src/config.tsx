// The network config, and what a change of it would do. Nothing is stored.
import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { t } from './i18n'
import { ask } from './live'

interface Preflight {
  changes: { key: string; from?: string; to?: string }[] | null
  warnings: string[] | null
  switch: number
  hosts: number
  backend: string
  cut: { host: string; from: string[] }[] | null
  unknown: string[] | null
  shrink: { host: string; from: number; to: number }[] | null
  restart: string[] | null
  drain: string[] | null
  harmless: boolean
}

const stored = signal<{ revision: number; text: string } | null>(null)
const draft = signal('')
const result = signal<Preflight | null>(null)
const failure = signal('')
const busy = signal(false)

async function load() {
  try {
    const { answer } = await ask<{ revision: number; config: unknown }>('config')
    stored.value = { revision: answer.revision, text: JSON.stringify(answer.config, null, 2) }
    if (!draft.value) draft.value = stored.value.text
    failure.value = ''
  } catch (e) {
    failure.value = (e as Error).message
  }
}

async function check(e: Event) {
  e.preventDefault()
  busy.value = true
  failure.value = ''
  result.value = null
  try {
    result.value = (await ask<Preflight>('preflight', { document: draft.value })).answer
  } catch (err) {
    failure.value = (err as Error).message
  } finally {
    busy.value = false
  }
}

export function ConfigView() {
  useEffect(() => { load() }, [])
  const s = stored.value
  return (
    <div class="view">
      <div class="scroller text two">
        <form class="pane" onSubmit={check}>
          <h2>{t('current')} {s && <span class="muted">{t('revision', s.revision)}</span>}</h2>
          <p class="muted">{t('preflightHint')}</p>
          <textarea name="document" spellcheck={false} aria-label={t('current')} value={draft.value} rows={Math.min(24, Math.max(10, draft.value.split('\n').length + 2))}
            onInput={(e) => { draft.value = e.currentTarget.value; result.value = null }} />
          <div class="actions">
            <button class="primary" disabled={busy.value || !s}>{t('check')}</button>
            <button type="button" disabled={!s || draft.value === s.text} onClick={() => { draft.value = s!.text; result.value = null; failure.value = '' }}>{t('reset')}</button>
          </div>
        </form>
        <section class="pane" aria-live="polite">
          <h2>{t('preflight')}</h2>
          {failure.value && <p class="problem p-error" role="alert">{failure.value}</p>}
          {result.value && <Outcome r={result.value} />}
        </section>
      </div>
    </div>
  )
}

function Outcome({ r }: { r: Preflight }) {
  const changes = r.changes ?? []
  if (changes.length === 0) return <p class="verdict">{t('unchanged')}</p>
  const list = (title: string, tone: string, items: string[] | null | undefined) => items && items.length > 0 && (
    <div class={`impact ${tone}`}><h3>{title} <span class="count">{items.length}</span></h3><ul>{items.slice(0, 50).map((i) => <li key={i}>{i}</li>)}</ul></div>
  )
  return (
    <>
      <p class={r.harmless ? 'verdict good' : 'verdict warn'}>
        {r.harmless ? t('harmless') : t('switchHosts', r.switch, r.hosts, r.backend)}
      </p>
      {r.harmless && r.switch > 0 && <p>{t('switchHosts', r.switch, r.hosts, r.backend)}</p>}
      <h3>{t('keys')}</h3>
      <table class="rows keys"><tbody>
        {changes.map((c) => (
          <tr key={c.key}><td><code>{c.key}</code></td><td>{c.from ? <code class="old">{c.from}</code> : <span class="muted">-</span>}</td><td class="muted">→</td><td>{c.to ? <code class="new">{c.to}</code> : <span class="muted">-</span>}</td></tr>
        ))}
      </tbody></table>
      {list(t('cutHosts'), 'bad', r.cut?.map((c) => `${c.host}: ${t('loses', c.from.slice(0, 8).join(', ') + (c.from.length > 8 ? ` +${c.from.length - 8}` : ''))}`))}
      {list(t('shrinkHosts'), 'warn', r.shrink?.map((s) => `${s.host}: ${t('mtu')} ${s.from} → ${s.to}`))}
      {list(t('restartHosts'), 'warn', r.restart)}
      {list(t('drainHosts'), 'warn', r.drain)}
      {list(t('unknownHosts'), '', r.unknown)}
      {list(t('warnings'), 'warn', r.warnings)}
      <h3>{t('command')}</h3>
      <pre>{`weft config set --wait=2m '${JSON.stringify(JSON.parse(draft.value))}'`}</pre>
    </>
  )
}
