import { t, word } from './i18n'
import { counts, head, pairs } from './store'
import type { HostState } from './model'

// Glyph shows a host's state by form as well as by colour.
export function Glyph({ state }: { state: HostState }) {
  return (
    <svg class={`glyph g-${state}`} viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
      {state === 'ready' && <circle cx="6" cy="6" r="4.5" />}
      {state === 'degraded' && <path d="M6 1 11.4 11H.6Z" />}
      {state === 'notReady' && <rect x="1.5" y="1.5" width="9" height="9" rx="1" />}
      {state === 'unknown' && <circle cx="6" cy="6" r="4" fill="none" />}
    </svg>
  )
}

export function Legend() {
  const line = (style: string, text: string) => (
    <span class="key"><svg width="22" height="8" aria-hidden="true"><path class={`line ${style}`} d="M1 4H21" /></svg>{text}</span>
  )
  const kinds = new Set<string>()
  if (head.value?.directRouting || counts.value.direct > 0) kinds.add('direct')
  for (const row of pairs.value.values()) { for (const p of row.values()) if (p.kind !== 'none') kinds.add(p.kind); if (kinds.size > 2) break }
  return (
    <div class="legend" aria-label={t('legend')}>
      {[...kinds].sort().map((k) => line(`h-ok k-${k === 'direct' ? 'direct' : 'tunnel'}`, word(k)))}
      {line('h-lost', t('lost'))}
      {line('h-slow', t('slow'))}
      {line('h-unknown', t('unmeasured'))}
      <span class="key"><Glyph state="ready" />{t('ready')}</span>
      <span class="key"><Glyph state="degraded" />{t('degraded')}</span>
      <span class="key"><Glyph state="notReady" />{t('notReady')}</span>
      <span class="key"><Glyph state="unknown" />{t('unknown')}</span>
      <span class="muted wide">{t('drawn')}</span>
    </div>
  )
}
