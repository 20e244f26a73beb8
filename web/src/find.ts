// What of the hosts is looked at: a search, and whether only those with problems.
import { computed, signal } from '@preact/signals'
import { type Host, stateOf } from './model'
import { badPairs, hostList, hostOf, hubs } from './store'

export const search = signal('')
export const onlyBad = signal(false)

function matches(h: Host, words: string[]): boolean {
  const text = [h.name, h.id, h.version, h.segment, ...(h.public ?? [])].join(' ').toLowerCase()
  return words.every((w) => text.includes(w))
}

// afflicted are the hosts that have a problem, or a path that has. That a host
// complains of another one that nobody reaches is the other one's problem.
const afflicted = computed(() => {
  const out = new Set<string>()
  for (const id of hubs.value.keys()) out.add(id)
  for (const p of badPairs.value) if (!hubs.value.has(p.from) && !hubs.value.has(p.to)) { out.add(p.from); out.add(p.to) }
  for (const h of hostList.value) if (stateOf(h) === 'notReady' || h.problems?.some((p) => p.severity !== 'note' && !hostOf(p.subject))) out.add(h.id)
  return out
})

export const found = computed(() => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean)
  let list = hostList.value
  if (words.length > 0) list = list.filter((h) => matches(h, words))
  if (onlyBad.value) list = list.filter((h) => afflicted.value.has(h.id))
  return list
})
