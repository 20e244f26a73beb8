// Kernel objects of a host: its own where its agent can be asked for its plan,
// else those of this host that lead there.
import { useEffect, useState } from 'preact/hooks'
import { t } from './i18n'
import { ask } from './live'
import { type Host, nameOf } from './model'
import { head, hostOf } from './store'

export interface PlanObject { kind: string; text: string }

export function Objects({ host }: { host: Host }) {
  const [list, setList] = useState<PlanObject[] | null>(null)
  const [failure, setFailure] = useState('')
  useEffect(() => { setList(null); setFailure('') }, [host.id])
  const self = host.id === head.value?.self, own = self || head.value?.lab !== undefined
  const load = () => ask<{ objects: PlanObject[] }>('plan', own ? { host: self && !head.value?.lab ? '' : nameOf(host) } : {})
    .then(({ answer }) => setList(own ? answer.objects : about(answer.objects, host)), (e) => setFailure(e.message))
  return (
    <section>
      <h3>{own ? t('objectsOwn') : t('objectsOf', nameOf(hostOf(head.value?.self ?? '')))} {list && <span class="muted">{list.length}</span>}</h3>
      {!list && <button onClick={load}>{t('showObjects')}</button>}
      {failure && <p class="bad" role="alert">{failure}</p>}
      {list && list.length === 0 && <p class="muted">{t('noObjects')}</p>}
      {list && list.length > 0 && <ul class="objects">{list.slice(0, 500).map((o, i) => <li key={i}><code><b>{o.kind}</b> {o.text}</code></li>)}</ul>}
    </section>
  )
}

// about returns the objects that name a host's subnet or address, or the MAC
// address of its tunnel's end.
export function about(all: PlanObject[], h: Host): PlanObject[] {
  const words = new Set<string>()
  for (const s of h.subnets ?? []) { words.add(s); words.add(s.split('/')[0]) }
  for (const a of h.public ?? []) words.add(a)
  const names = (o: PlanObject) => o.text.split(/[\s,{}]+/).some((w) => words.has(w))
  for (const o of all) {
    if (o.kind !== 'neigh' || !names(o)) continue
    const mac = /\bmac (\S+)/.exec(o.text)
    if (mac) words.add(mac[1])
  }
  for (const o of all) { // routes may lead there by a nexthop object
    const id = o.kind === 'nexthop' && names(o) ? /\bid (\d+)/.exec(o.text) : null
    if (id) words.add(id[1])
  }
  return all.filter(names)
}
