// The plan: what the kernel should have, and how it differs.
import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { HostChoice } from './explain'
import { t } from './i18n'
import { ask } from './live'
import type { PlanObject } from './objects'
import { head } from './store'

interface Change { change: string; kind: string; text: string; current?: string }

const host = signal('')
const tab = signal<'drift' | 'desired'>('drift')
const objects = signal<PlanObject[] | null>(null)
const drift = signal<Change[] | null>(null)
const failure = signal('')
const words = signal('')
const busy = signal(false)
const most = 2000

async function load() {
  busy.value = true
  failure.value = ''
  try {
    const where = { host: head.value?.lab ? host.value : '' }
    const [plan, diff] = await Promise.all([ask<{ objects: PlanObject[] | null }>('plan', where), ask<{ changes: Change[] | null }>('drift', where)])
    objects.value = plan.answer.objects ?? []
    drift.value = diff.answer.changes ?? []
  } catch (e) {
    failure.value = (e as Error).message
  } finally {
    busy.value = false
  }
}

export function PlanView() {
  useEffect(() => { load() }, [host.value])
  const choose = (name: 'drift' | 'desired', count: number | undefined) => (
    <button role="tab" aria-selected={tab.value === name} onClick={() => { tab.value = name }}>{t(name)}{count !== undefined && <span class="count">{count}</span>}</button>
  )
  return (
    <div class="view">
      <div class="toolbar">
        {head.value?.lab && <HostChoice value={host.value} onChange={(e) => { host.value = e.currentTarget.value }} />}
        <div role="tablist" class="tabs">{choose('drift', drift.value?.length)}{choose('desired', objects.value?.length)}</div>
        <span class="spring" />
        {tab.value === 'desired' && <input type="search" placeholder={t('filter')} aria-label={t('filter')} value={words.value} onInput={(e) => { words.value = e.currentTarget.value }} />}
        <button onClick={load} disabled={busy.value}>{t('refresh')}</button>
      </div>
      <div class="scroller text" role="tabpanel" aria-busy={busy.value}>
        {failure.value && <p class="problem p-error" role="alert">{failure.value}</p>}
        {tab.value === 'drift' ? <Drift /> : <Desired />}
      </div>
    </div>
  )
}

const signs: Record<string, { sign: string; tone: string; text: 'missing' | 'stale' | 'different' }> = {
  add: { sign: '+', tone: 'good', text: 'missing' }, remove: { sign: '−', tone: 'bad', text: 'stale' },
  replace: { sign: '~', tone: 'warn', text: 'different' }, rename: { sign: '~', tone: 'warn', text: 'different' },
}

function Drift() {
  const list = drift.value
  if (!list) return null
  if (list.length === 0) return <p class="empty good">{t('noDrift')}</p>
  return (
    <>
      <p class="verdict warn">{t('changes', list.length)}</p>
      <table class="rows"><tbody>
        {list.slice(0, most).map((c, i) => {
          const s = signs[c.change] ?? signs.replace
          return (
            <tr key={i} class={s.tone}>
              <td class="sign" aria-hidden="true">{s.sign}</td><td>{t(s.text)}</td><td><b>{c.kind}</b></td>
              <td><code>{c.text}</code>{c.current && <div class="muted"><code>{c.current}</code></div>}</td>
            </tr>
          )
        })}
      </tbody></table>
    </>
  )
}

function Desired() {
  const filter = words.value.toLowerCase()
  const list = (objects.value ?? []).filter((o) => !filter || `${o.kind} ${o.text}`.toLowerCase().includes(filter))
  return (
    <>
      <table class="rows"><tbody>
        {list.slice(0, most).map((o, i) => <tr key={i}><td class="kind-of">{i === 0 || list[i - 1].kind !== o.kind ? <b>{o.kind}</b> : ''}</td><td><code>{o.text}</code></td></tr>)}
      </tbody></table>
      {list.length > most && <p class="muted">{t('listed', most, list.length)}</p>}
    </>
  )
}
