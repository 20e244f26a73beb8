import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { found, onlyBad, search } from './find'
import { t } from './i18n'
import { typing } from './route'
import { counts, selected } from './store'

// Toolbar is above map and matrix: which hosts are looked at, and how closely.
export function Toolbar({ zoom, children }: { zoom: (step: number) => void; children?: ComponentChildren }) {
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (typing(e)) return
      if (e.key === '/') { e.preventDefault(); field.current?.focus() }
      if (e.key === '+' || e.key === '=') zoom(1)
      if (e.key === '-') zoom(-1)
    }
    addEventListener('keydown', key)
    return () => removeEventListener('keydown', key)
  }, [zoom])
  const narrowed = search.value !== '' || onlyBad.value
  return (
    <div class="toolbar" role="search">
      <input ref={field} type="search" value={search.value} placeholder={t('search')} aria-label={t('search')} aria-keyshortcuts="/"
        onInput={(e) => { search.value = e.currentTarget.value }}
        onKeyDown={(e) => { if (e.key === 'Enter' && found.value[0]) selected.value = found.value[0].id }} />
      <label class="check"><input type="checkbox" checked={onlyBad.value} onChange={(e) => { onlyBad.value = e.currentTarget.checked }} />{t('onlyBad')}</label>
      {narrowed && <span class="muted" role="status">{t('listed', found.value.length, counts.value.hosts)}</span>}
      <span class="spring" />
      {children}
      <span class="zoom">
        <button aria-label={t('zoomOut')} title={t('zoomOut')} aria-keyshortcuts="-" onClick={() => zoom(-1)}>−</button>
        <button aria-label={t('zoomIn')} title={t('zoomIn')} aria-keyshortcuts="+" onClick={() => zoom(1)}>+</button>
      </span>
    </div>
  )
}
