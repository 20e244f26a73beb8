import { useEffect } from 'preact/hooks'
import { ConfigView } from './config'
import { Drawer } from './drawer'
import { EventsView } from './events'
import { ExplainView } from './explain'
import { onlyBad, search } from './find'
import { language, setLanguage, t } from './i18n'
import { LabBar } from './lab'
import { MapView } from './map'
import { MatrixView } from './matrix'
import { PlanView } from './plan'
import { go, typing, view, views } from './route'
import { at, connection, counts, head, selected, trouble } from './store'
import { Timeline } from './timeline'

const bodies = { map: MapView, matrix: MatrixView, events: EventsView, explain: ExplainView, plan: PlanView, config: ConfigView }

export function App() {
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (e.key === 'Escape' && selected.value !== null) selected.value = null
      if (typing(e)) return
      const n = Number(e.key) - 1
      if (views[n]) go(views[n])
    }
    addEventListener('keydown', key)
    return () => removeEventListener('keydown', key)
  }, [])
  if (connection.value === 'refused') return <Refused />
  const Body = bodies[view.value]
  const pictured = view.value === 'map' || view.value === 'matrix'
  return (
    <div class="app">
      <a class="skip" href="#content">{t('skip')}</a>
      <Header />
      <Notices />
      {head.value?.lab && <LabBar cables={head.value.lab} />}
      <div class="middle">
        <main id="content" class="content" aria-label={t(view.value)}><Body /></main>
        {pictured && selected.value !== null && <Drawer id={selected.value} />}
      </div>
      <Timeline />
    </div>
  )
}

function Header() {
  const other = language.value === 'en' ? 'zh' : 'en'
  return (
    <header class="header">
      <span class="brand"><img src="/icon.svg" alt="" width="20" height="20" />weft</span>
      <nav class="nav" aria-label="weft">
        {views.map((v, i) => (
          <a key={v} href={`#/${v}`} aria-current={view.value === v ? 'page' : undefined} aria-keyshortcuts={String(i + 1)}>{t(v)}</a>
        ))}
      </nav>
      <Summary />
      <span class={`live live-${connection.value}`} role="status">
        <i class="beat" aria-hidden="true" />
        {connection.value === 'live' ? t('live') : connection.value === 'lost' ? t('reconnecting') : t('connecting')}
      </span>
      <button class="quiet" onClick={() => setLanguage(other)} lang={other === 'zh' ? 'zh-Hans' : 'en'}>{t('language')}</button>
    </header>
  )
}

function showBad() {
  onlyBad.value = true
  search.value = ''
  if (view.value !== 'matrix') go('map')
}

// Summary tells in a line how the fabric does; what is wrong comes first.
function Summary() {
  const c = counts.value, h = head.value
  if (!h) return <div class="summary" />
  return (
    <div class="summary" role="status" aria-live="polite">
      {c.lost > 0 && <button class="linkish bad" onClick={showBad}><strong>{t('lostPaths', c.lost)}</strong></button>}
      {c.slow > 0 && <button class="linkish warn" onClick={showBad}><strong>{t('slowPaths', c.slow)}</strong></button>}
      {c.problems > 0 && <button class="linkish warn" onClick={showBad}>{t('problems', c.problems)}</button>}
      {c.lost + c.slow + c.problems === 0 && <span class="good">{c.direct + c.tunnel > 0 ? t('allReach') : t('noPaths')}</span>}
      <span class="muted">{t('hosts', c.hosts)}</span>
      {h.network && <span class="muted wide"><code>{h.network.join(', ')}</code> {h.backend}{h.directRouting ? ` + ${t('direct')}` : ''}</span>}
    </div>
  )
}

function Notices() {
  const h = head.value
  return (
    <>
      {trouble.value && <p class="notice bad" role="alert">{trouble.value}</p>}
      {h && !h.store.up && h.store.error && <p class="notice warn" role="alert">{t('storeDown', h.store.error)}</p>}
      {h && h.change.done < h.change.total && <p class="notice">{t('pending', h.change.done, h.change.total)}</p>}
      {at.value !== null && (
        <p class="notice past">
          {t('past', new Date(at.value).toLocaleTimeString())}
          <button onClick={() => { at.value = null }}>{t('backToLive')}</button>
        </p>
      )}
    </>
  )
}

function Refused() {
  return (
    <main class="refused">
      <h1>{t('refusedTitle')}</h1>
      <p>{t('refused')}</p>
      <pre>sudo weft ui</pre>
    </main>
  )
}
