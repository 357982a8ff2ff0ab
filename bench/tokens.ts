/**
 * What a token costs: server CPU per request of Yihao (durable store, audit, SM2 or ES256) against the bare engine on a
 * plain Map with ES256, in interleaved rounds of one run. Wall-clock figures depend on the machine; the ratio does not.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

interface Ready {
  readonly url: string
  readonly authorization: string
  readonly refreshTokens: readonly string[]
  readonly accessToken: string
}

interface Served {
  readonly name: string
  readonly child: ChildProcess
  readonly ready: Ready
  tokens: string[]
}

const chains = 16
const rounds = 7
const perRound = 25

async function serve(name: string, file: string, ...parameters: string[]): Promise<Served> {
  const child = fork(join(import.meta.dirname, file), [String(chains), ...parameters], {
    stdio: ['ignore', 2, 2, 'ipc'],
  })
  const [ready] = (await once(child, 'message')) as [Ready]
  return { name, child, ready, tokens: [...ready.refreshTokens] }
}

/** CPU time of the server so far, in microseconds. */
async function cpu({ child }: Served): Promise<number> {
  child.send('cpu')
  const [usage] = (await once(child, 'message')) as [{ user: number; system: number }]
  return usage.user + usage.system
}

async function post({ ready }: Served, path: string, body: Record<string, string>): Promise<Record<string, unknown>> {
  const answer = await fetch(`${ready.url}${path}`, {
    method: 'POST',
    headers: { authorization: ready.authorization },
    body: new URLSearchParams(body),
  })
  if (!answer.ok) throw new Error(`${path} answered ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as Record<string, unknown>
}

const work: Readonly<Record<string, (served: Served, chain: number) => Promise<unknown>>> = {
  refresh: async (served, chain) => {
    const token = served.tokens[chain] as string
    const answer = await post(served, '/token', { grant_type: 'refresh_token', refresh_token: token })
    served.tokens[chain] = String(answer['refresh_token'])
  },
  introspection: (served) => post(served, '/introspect', { token: served.ready.accessToken }),
}

async function round(served: Served, job: (served: Served, chain: number) => Promise<unknown>) {
  const before = await cpu(served)
  const start = performance.now()
  await Promise.all(
    Array.from({ length: chains }, async (_, chain) => {
      for (let n = 0; n < perRound; n += 1) await job(served, chain)
    }),
  )
  const seconds = (performance.now() - start) / 1000
  const requests = chains * perRound
  return { micros: ((await cpu(served)) - before) / requests, perSecond: requests / seconds }
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number

const all = [
  await serve('engine on a Map, ES256', 'serve-bare.ts'),
  await serve('Yihao, ES256', 'serve-yihao.ts', 'second'),
  await serve('Yihao, SM2', 'serve-yihao.ts', 'first'),
]
try {
  for (const [name, job] of Object.entries(work)) {
    const measured = new Map(all.map((served) => [served, [] as { micros: number; perSecond: number }[]]))
    for (const served of all) await round(served, job)
    for (let n = 0; n < rounds; n += 1) for (const served of all) measured.get(served)?.push(await round(served, job))
    const floor = median((measured.get(all[0] as Served) ?? []).map(({ micros }) => micros))
    console.log(`\n${name}, ${rounds} interleaved rounds of ${chains * perRound}`)
    for (const [served, results] of measured) {
      const micros = median(results.map((result) => result.micros))
      const perSecond = median(results.map((result) => result.perSecond))
      console.log(
        `  ${served.name.padEnd(24)} ${micros.toFixed(0).padStart(6)} µs CPU/request  ×${(micros / floor).toFixed(2)}  ${perSecond.toFixed(0).padStart(6)}/s`,
      )
    }
  }
} finally {
  for (const { child } of all) child.kill()
}
