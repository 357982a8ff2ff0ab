/**
 * The applications in the store: seeded from files, protected by an HMAC-SM3 each (DESIGN D11), read through a cache
 * with a bounded age, so that a change is taken up without a restart (engine trap 12).
 */
import { timingSafeEqual } from 'node:crypto'
import type { Mac } from '#src/crypto/mac.ts'
import { AppError } from '#src/errors.ts'
import type { ApplicationRow, Storage } from '#src/storage/storage.ts'
import { parseApplication, type Application, type ApplicationInput, type ApplicationPolicy } from './application.ts'

const maxAgeMs = 5_000

export interface Applications {
  get(id: string): Promise<Application | undefined>
  list(): Promise<readonly Application[]>
  /** Writes the applications that are new or changed and gives them. @throws AppError `config_invalid` */
  seed(applications: readonly ApplicationInput[]): Promise<readonly Application[]>
}

interface Dependencies {
  readonly storage: Pick<Storage, 'applications'>
  readonly rowMac: Mac
  readonly policy: Omit<ApplicationPolicy, 'now'>
  /** Applications of the server itself, which stand in no file. */
  readonly builtIn?: readonly Application[]
  readonly now?: () => number
  /** Told of a row whose MAC does not hold; it counts as absent. */
  readonly onTampered: (id: string) => void
}

export function createApplications(deps: Dependencies): Applications {
  const { storage, rowMac, policy, builtIn = [], now = Date.now } = deps
  let cache: { readonly at: number; readonly rows: Promise<ReadonlyMap<string, Application>> } | undefined

  const macOf = (id: string, body: string) => rowMac(`application|${id}|${body}`)

  const opened = async (row: ApplicationRow): Promise<Application | undefined> => {
    const mac = Buffer.from(row.mac, 'base64url')
    const due = await macOf(row.id, row.body)
    if (mac.length !== due.length || !timingSafeEqual(mac, due)) {
      deps.onTampered(row.id)
      return undefined
    }
    return JSON.parse(row.body) as Application
  }

  const load = async (): Promise<ReadonlyMap<string, Application>> => {
    const rows = await Promise.all((await storage.applications.list()).map(opened))
    return new Map(rows.flatMap((application) => (application ? [[application.id, application]] : [])))
  }

  const all = (): Promise<ReadonlyMap<string, Application>> => {
    if (!cache || now() - cache.at > maxAgeMs) {
      const rows = load()
      cache = { at: now(), rows }
      rows.catch(() => (cache = undefined))
    }
    return cache.rows
  }

  return {
    get: async (id) => builtIn.find((application) => application.id === id) ?? (await all()).get(id),
    list: async () => [...(await all()).values()],
    async seed(applications) {
      const known = await load()
      const changed: Application[] = []
      for (const input of applications) {
        const application = parseApplication(input, { ...policy, now: now() })
        const sector = known.get(application.id)?.sector
        if (sector !== undefined && sector !== application.sector) {
          throw new AppError('config_invalid', { detail: `application ${application.id}: its sector can never change` })
        }
        const body = JSON.stringify(application)
        if (JSON.stringify(known.get(application.id)) === body) continue
        const mac = (await macOf(application.id, body)).toString('base64url')
        await storage.applications.put({ id: application.id, body, mac, updatedAt: now() })
        changed.push(application)
      }
      cache = undefined
      return changed
    },
  }
}
