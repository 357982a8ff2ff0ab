/**
 * The server of a test in a process of its own, so that it can be killed: tells its parent each text it sends, and erases
 * on demand. Imported, it starts one.
 */
import { strict as assert } from 'node:assert'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { DocumentKind } from '#src/identity/id-number.ts'
import type { ApplicationInput } from '#src/oidc/application.ts'
import { createOutboxGateway, type KeptText } from '#src/verifiers/sms/outbox-gateway.ts'
import { startServer, testApplications } from './app.ts'
import type { Person, Place } from './citizen.ts'

interface Start {
  readonly directory: string
  readonly port: number
  readonly applications: readonly ApplicationInput[]
}

type Said =
  | { readonly url: string; readonly workMs: number }
  | { readonly sent: Omit<KeptText, 'at'> }
  | { readonly erased: string }

export interface ChildServer extends Place {
  readonly port: number
  /** What the process computed until it listened, in ms of one core: what an idle machine takes at most. */
  readonly startWorkMs: number
  erase(person: Person): Promise<void>
  /** kill -9 */
  kill(): Promise<void>
}

export async function startChild(directory: string, port = 0): Promise<ChildServer> {
  const start: Start = { directory, port, applications: testApplications() }
  const child = fork(import.meta.filename, [JSON.stringify(start)])
  const texts: KeptText[] = []
  child.on('message', (said: Said) => 'sent' in said && texts.unshift({ ...said.sent, at: Date.now() }))
  const [{ url, workMs }] = (await once(child, 'message')) as [{ url: string; workMs: number }]
  assert.ok(url, 'the server did not start')
  return {
    url,
    port: Number(new URL(url).port),
    startWorkMs: workMs,
    gateway: { texts: (phone) => texts.filter((text) => text.phone === phone) },
    async erase(person) {
      child.send(person)
      await once(child, 'message')
    },
    async kill() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

async function serve({ directory, port, applications }: Start): Promise<void> {
  const say = (said: Said) => void process.send?.(said)
  const gateway = createOutboxGateway()
  const server = await startServer({
    directory,
    port,
    applications,
    settings: (settings) => {
      Object.assign(settings['audit'] as object, { checkpointRecords: 5 })
      Object.assign((settings['verifiers'] as { sms: object }).sms, { resendAfter: 1 })
    },
    overrides: {
      smsGateway: {
        ...gateway,
        async send(phone, text) {
          say({ sent: { phone, text } })
          return gateway.send(phone, text)
        },
      },
    },
  })
  process.on('message', ({ kind, number }: Person) => {
    const erase = async () => {
      const citizen = await server.app.directory.byDocument(kind as DocumentKind, number)
      assert.ok(citizen)
      await server.app.storage.people.erase(citizen.id)
      say({ erased: citizen.id })
    }
    void erase()
  })
  const { user, system } = process.cpuUsage()
  say({ url: server.url, workMs: (user + system) / 1000 })
}

if (import.meta.main) await serve(JSON.parse(process.argv[2] ?? '') as Start)
