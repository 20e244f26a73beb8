// Which view is shown; it stands in the address, so that it can be linked to.
import { signal } from '@preact/signals'

export const views = ['map', 'matrix', 'events', 'explain', 'plan', 'config'] as const
export type View = (typeof views)[number]

function fromAddress(): View {
  const name = location.hash.replace(/^#\/?/, '').split('?')[0]
  return (views as readonly string[]).includes(name) ? (name as View) : 'map'
}

export const view = signal<View>(fromAddress())
addEventListener('hashchange', () => { view.value = fromAddress() })

export function go(v: View) { location.hash = `#/${v}` }

// typing reports whether keys belong to a field.
export function typing(e: KeyboardEvent): boolean {
  const el = e.target as HTMLElement
  return e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName)
}
