// What is known of the fabric, and how it got to be so. The maps are changed in
// place, since there may be 10,000 hosts; the signals beside tell that they were.
import { batch, computed, signal } from '@preact/signals'
import { type Event, type Fabric, type Head, type Health, type Host, type Link, type Patch, healthOf, isBad, worst } from './model'
import { rewind } from './rewind'

export const head = signal<Head | null>(null)
export const trouble = signal('')
export const connection = signal<'connecting' | 'live' | 'lost' | 'refused'>('connecting')
export const events = signal<Event[]>([])
export const at = signal<number | null>(null) // the moment that is shown; null: now
export const selected = signal<string | null>(null) // ID of a host

const hosts = new Map<string, Host>()
const links = new Map<string, Link>()
const hostsRevision = signal(0)
const linksRevision = signal(0)

// Change is a link that came, went, or got another state or kind.
export interface Change { t: number; id: string; before?: Link; after?: Link }
const changes: Change[] = []
const maxChanges = 20000
export let opened = Date.now()

// Samples are the measurements of a link since the page was opened.
export interface Samples { t: number[]; rtt: (number | null)[]; loss: number[] }
const samples = new Map<string, Samples>()

function keepSample(l: Link, t: number) {
  if (!l.state) return
  let s = samples.get(l.id)
  if (!s) samples.set(l.id, (s = { t: [], rtt: [], loss: [] }))
  s.t.push(t)
  s.rtt.push(l.state === 'passes' && l.rtt ? l.rtt / 1000 : null)
  s.loss.push(l.state === 'lost' ? 100 : (l.loss ?? 0) * 100)
  const most = links.size > 2000 ? 60 : 600
  if (s.t.length > most) for (const list of [s.t, s.rtt, s.loss]) list.splice(0, list.length - most)
}

const lossSpan = 11 * 60_000 // milliseconds that the share of loss is of
const missShown = 60_000 // milliseconds that a miss is fresh
const missed = new Map<string, number>() // when the share of loss of a path rose last

function isFresh(l: Link): boolean {
  const now = at.value ?? Date.now()
  return now - (missed.get(l.id) ?? 0) < missShown || (l.since !== undefined && now - Date.parse(l.since) > lossSpan)
}

export function samplesOf(id: string): Samples | undefined {
  linksRevision.value
  return samples.get(id)
}

function setLink(l: Link, t: number) {
  const before = links.get(l.id)
  if (!before || before.state !== l.state || before.kind !== l.kind || before.use !== l.use) changes.push({ t, id: l.id, before, after: l })
  if (before?.state === 'passes' && l.state === 'passes' && (l.loss ?? 0) > (before.loss ?? 0)) missed.set(l.id, t)
  links.set(l.id, l)
  keepSample(l, t)
}

export function takeFabric(f: Fabric) {
  const first = hosts.size === 0
  const fresh = new Set((f.links ?? []).map((l) => l.id))
  const freshHosts = new Set((f.hosts ?? []).map((h) => h.id))
  takePatch({
    head: f.head, hosts: f.hosts ?? [], links: f.links ?? [],
    goneHosts: [...hosts.keys()].filter((id) => !freshHosts.has(id)), goneLinks: [...links.keys()].filter((id) => !fresh.has(id)),
  })
  if (first) { // what was there is no change
    changes.length = 0
    opened = Date.now()
  }
}

export function takePatch(p: Patch) {
  const t = Date.now()
  for (const h of p.hosts ?? []) hosts.set(h.id, h)
  for (const id of p.goneHosts ?? []) hosts.delete(id)
  for (const l of p.links ?? []) setLink(l, t)
  for (const id of p.goneLinks ?? []) {
    changes.push({ t, id, before: links.get(id) })
    links.delete(id)
    samples.delete(id)
    missed.delete(id)
  }
  if (changes.length > maxChanges) changes.splice(0, changes.length - maxChanges)
  batch(() => {
    if (p.head) head.value = p.head
    if (p.hosts?.length || p.goneHosts?.length) hostsRevision.value++
    if (p.links?.length || p.goneLinks?.length) linksRevision.value++
  })
}

// keyOf tells events apart, also those of an agent whose numbers began anew.
export function keyOf(e: Event): string { return `${e.host} ${e.number} ${e.at}` }

export function takeEvents(news: Event[]) {
  const known = new Set(events.value.slice(-6000).map((e) => keyOf(e)))
  const fresh = news.filter((e) => !known.has(keyOf(e)) && known.add(keyOf(e)))
  if (fresh.length === 0) return
  events.value = [...events.value, ...fresh].sort((a, b) => Date.parse(a.at) - Date.parse(b.at)).slice(-6000)
}

// shown is the fabric at the moment that is looked at.
export const shown = computed(() => {
  const links_ = linksRevision.value, hosts_ = hostsRevision.value
  if (at.value === null) return { hosts, links, revision: `${links_}.${hosts_}` }
  return { ...rewind(hosts, links, changes, events.value, opened, at.value), revision: `${links_}.${hosts_}@${at.value}` }
})

// hostList is for what does not care about links.
export const hostList = computed(() => {
  hostsRevision.value
  return [...(at.value === null ? hosts : shown.value.hosts).values()]
})

export function hostOf(id: string | null): Host | undefined {
  hostsRevision.value
  return id === null ? undefined : (at.value === null ? hosts : shown.value.hosts).get(id)
}

// Pair is all links in use from one host to another.
export interface Pair { from: string; to: string; kind: string; health: Health; links: Link[] }

const slowFor = 5 * 60_000 // milliseconds after an agent has said that a path became slower

// slower are the paths that became so lately: host's name and ID of the other end.
const slower = computed(() => {
  const out = new Set<string>(), now = at.value ?? Date.now()
  for (let i = events.value.length - 1; i >= 0; i--) {
    const e = events.value[i], when = Date.parse(e.at)
    if (when < now - slowFor) break
    if (e.kind === 'path-slower' && when <= now) out.add(`${e.host} ${e.subnet}`)
  }
  return out
})

// healthNow is a link's health at the moment that is shown.
export function healthNow(l: Link): Health {
  const health = healthOf(l, isFresh(l))
  return health === 'ok' && slower.value.size > 0 && slower.value.has(`${hosts.get(l.from)?.name} ${l.to}`) ? 'slow' : health
}

// pairs are the links in use, by sender and receiver.
export const pairs = computed(() => {
  const out = new Map<string, Map<string, Pair>>()
  for (const l of shown.value.links.values()) {
    if (!l.use) continue
    let row = out.get(l.from)
    if (!row) out.set(l.from, (row = new Map()))
    const p = row.get(l.to)
    const health = healthNow(l)
    if (!p) row.set(l.to, { from: l.from, to: l.to, kind: l.kind, health, links: [l] })
    else {
      p.links.push(l)
      if (worst(p.health, health) === health) { p.health = health; p.kind = l.kind }
    }
  }
  return out
})

export const badPairs = computed(() => {
  const out: Pair[] = []
  for (const row of pairs.value.values()) for (const p of row.values()) if (isBad(p.health)) out.push(p)
  return out
})

const manyLost = 10 // paths of one host

// hubs are hosts that have lost most of many paths, and how many: they say more
// than as many lines would.
export const hubs = computed(() => {
  const lost = new Map<string, number>(), all = new Map<string, number>()
  for (const row of pairs.value.values()) for (const p of row.values()) {
    all.set(p.to, (all.get(p.to) ?? 0) + 1)
    all.set(p.from, (all.get(p.from) ?? 0) + 1)
    if (p.health !== 'lost' && p.health !== 'none') continue
    lost.set(p.to, (lost.get(p.to) ?? 0) + 1)
    lost.set(p.from, (lost.get(p.from) ?? 0) + 1)
  }
  for (const [id, n] of lost) if (n < manyLost || n * 2 < all.get(id)!) lost.delete(id)
  return lost
})

// counts are what the header tells.
export const counts = computed(() => {
  let lost = 0, slow = 0, direct = 0, tunnel = 0
  for (const row of pairs.value.values()) for (const p of row.values()) {
    if (p.health === 'lost' || p.health === 'none') lost++
    else if (p.health === 'slow') slow++
    if (p.kind === 'direct') direct++
    else if (p.kind !== 'none') tunnel++
  }
  let problems = 0
  for (const h of hostList.value) for (const p of h.problems ?? []) if (p.severity !== 'note') problems++
  return { lost, slow, direct, tunnel, problems, hosts: hostList.value.length }
})
