// The connection to the server: the token becomes a session, and the session a
// stream of what changes.
import { connection, takeEvents, takeFabric, takePatch, trouble } from './store'

// enter shows the token of the page's address, once, and takes it out of there.
export async function enter(): Promise<boolean> {
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  if (!token) return true // a session from before, perhaps
  history.replaceState(null, '', '#/map')
  const answer = await fetch('/api/session', { method: 'POST', body: JSON.stringify({ token }) })
  return answer.ok
}

export function follow() {
  const stream = new EventSource('/api/live')
  const on = (name: string, take: (data: never) => void) =>
    stream.addEventListener(name, (e) => {
      connection.value = 'live'
      take(JSON.parse((e as MessageEvent).data) as never)
    })
  on('fabric', takeFabric)
  on('patch', takePatch)
  on('events', takeEvents)
  on('trouble', (text: string) => { trouble.value = text })
  stream.onopen = () => { connection.value = 'live' }
  stream.onerror = () => { connection.value = stream.readyState === EventSource.CLOSED ? 'refused' : 'lost' }
}

export class Refused extends Error {}

// ask gets the answer of a command that the server runs.
export async function ask<T>(path: string, values: Record<string, string | string[]> = {}): Promise<{ answer: T; notes: string }> {
  const q = new URLSearchParams()
  for (const [k, v] of Object.entries(values)) for (const one of [v].flat()) if (one !== '') q.append(k, one)
  const answer = await fetch(`/api/${path}?${q}`)
  const body = await answer.json().catch(() => ({ error: answer.statusText }))
  if (!answer.ok) throw new Refused(body.error)
  return body
}

export async function setCut(name: string, cut: boolean) {
  const answer = await fetch('/api/lab/cut', { method: 'POST', body: JSON.stringify({ name, cut }) })
  if (!answer.ok) throw new Refused((await answer.json()).error)
}
