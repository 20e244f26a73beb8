// The buttons of a lab: cables and segments, cut or not.
import { signal } from '@preact/signals'
import { t } from './i18n'
import { setCut } from './live'
import type { Cables } from './model'

const failure = signal('')

export function LabBar({ cables }: { cables: Cables }) {
  const button = (name: string) => {
    const isCut = cables.cut?.includes(name) ?? false
    return (
      <button key={name} class="toggle" aria-pressed={isCut} data-cut={name} title={isCut ? t('mend') : t('cut')}
        aria-label={`${isCut ? t('mend') : t('cut')} ${name}`}
        onClick={() => setCut(name, !isCut).then(() => { failure.value = '' }, (e) => { failure.value = e.message })}>
        {isCut ? t('cutNow', name) : name}
      </button>
    )
  }
  return (
    <section class="lab" aria-label={t('lab')}>
      <strong>{t('lab')}</strong>
      <span class="muted">{t('cables')}</span>{cables.hosts.map(button)}
      <span class="muted">{t('segments')}</span>{cables.segments.map(button)}
      {failure.value && <span class="bad" role="alert">{failure.value}</span>}
    </section>
  )
}
