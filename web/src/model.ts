// The documents that the server sends, as package page in Go defines them.

export interface Cables { hosts: string[]; segments: string[]; cut: string[] }

export interface Head {
  self: string
  network: string[] | null
  backend: string
  directRouting: boolean
  store: { kind: string; up: boolean; since?: string; error?: string }
  change: { done: number; total: number; former?: string[]; behind?: { name?: string; subnets: string[]; advertises: string }[] }
  lab?: Cables
}

export interface Problem { subject: string; message: string; severity: 'error' | 'warning' | 'note' }

export interface Lease { held: boolean; expires?: string; mtu: number; reserved?: boolean; drains?: string[] }

export interface Host {
  id: string
  name?: string
  version?: string
  subnets?: string[]
  public?: string[]
  segment?: string
  backend?: string
  asked?: boolean
  state?: 'ready' | 'degraded' | 'notReady'
  why?: string
  lease?: Lease
  uplink?: string
  objects?: number
  failed?: number
  problems?: Problem[]
}

export interface Link {
  id: string
  from: string
  to: string
  kind: string
  use?: boolean
  via?: string
  dev?: string
  state?: 'passes' | 'lost' | 'unmeasured'
  since?: string
  lastAnswer?: string
  loss?: number
  rtt?: number
  mtu?: number
}

export interface Event {
  host: string
  number: number
  at: string
  level: string
  kind: string
  message: string
  object?: string
  peer?: string
  subnet?: string
  subject?: string
  key?: string
  from?: string
  to?: string
  error?: string
  more?: number
  by?: string
  fields?: Record<string, string>
}

export interface Fabric { head: Head; hosts: Host[] | null; links: Link[] | null }

export interface Patch { head?: Head; hosts?: Host[]; links?: Link[]; goneHosts?: string[]; goneLinks?: string[] }

// Health is what a person should know of a link at a glance.
export type Health = 'lost' | 'none' | 'slow' | 'ok' | 'unknown'

const order: Health[] = ['ok', 'unknown', 'slow', 'none', 'lost']

// lossShown is the share of probes without an answer from which a path is called slow.
export const lossShown = 0.01

// healthOf takes a loss into account only if it is fresh: the share that agents tell
// is of ten minutes, and a path that works again is well.
export function healthOf(l: Link, fresh: boolean): Health {
  if (l.kind === 'none') return 'none'
  if (l.state === 'lost') return 'lost'
  if (l.state === 'passes') return (fresh && (l.loss ?? 0) >= lossShown) || l.mtu ? 'slow' : 'ok'
  return 'unknown'
}

export function worst(a: Health, b: Health): Health {
  return order.indexOf(a) > order.indexOf(b) ? a : b
}

export function isBad(h: Health): boolean { return h === 'lost' || h === 'none' || h === 'slow' }

export function nameOf(h: Host | undefined): string {
  return h ? h.name || h.public?.[0] || h.id : ''
}

// stateOf is a host's state as the page shows it; of a host whose agent did not
// answer it is unknown, never guessed.
export type HostState = 'ready' | 'degraded' | 'notReady' | 'unknown'

export function stateOf(h: Host): HostState { return h.state ?? 'unknown' }

// collate compares names as people count: h2 before h10.
export const collate = new Intl.Collator('en', { numeric: true }).compare
