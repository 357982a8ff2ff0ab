/** The rooms of sign-in on a real store, with a register that answers from the cast and a trail that is only listened to. */
import { randomBytes } from 'node:crypto'
import type { AuditEvent } from '#src/audit/recorder.ts'
import { loadConfig, type Config } from '#src/config.ts'
import { createSoftwareMac } from '#src/crypto/software-mac.ts'
import { readPopulation, type CastMember } from '#src/demo/cast.ts'
import { createFileRegister, type FileRegister } from '#src/demo/population-register.ts'
import { AppError } from '#src/errors.ts'
import { dayInChina } from '#src/identity/calendar.ts'
import { checkCharacter } from '#src/identity/check-digit.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import { parseDocument } from '#src/identity/id-number.ts'
import type { PopulationRegister, RegisterAnswer, RegisterQuery } from '#src/identity/registry.ts'
import { createDirectory, type Directory } from '#src/login/directory.ts'
import { createDevices, type Devices } from '#src/login/devices.ts'
import { createLine, type Line } from '#src/login/line.ts'
import { createPhoneConfirmation, type PhoneConfirmation } from '#src/login/phone-confirmation.ts'
import type { CitizenNotices } from '#src/login/citizen-notices.ts'
import { createOwnership } from '#src/login/ownership.ts'
import { createProofing, type Proofed, type Proofing } from '#src/login/proofing.ts'
import { createRegisterCheck } from '#src/login/register-check.ts'
import { createThrottle, type Throttle } from '#src/login/throttle.ts'
import { createSealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import { movableClock, type Clock } from './app.ts'
import { openSealedStore, sealerKeys, type SealedStore } from './sealing.ts'

export const trail = { reference: '00000-00000', address: '127.0.0.1', application: 'first', channel: 'web' }

export interface Told {
  readonly id: string
  readonly event: string
  readonly phone: string
}

export interface LoginRooms extends SealedStore {
  readonly directory: Directory
  readonly throttle: Throttle
  readonly line: Line
  readonly devices: Devices
  readonly proofing: Proofing
  readonly confirmation: PhoneConfirmation
  readonly register: FileRegister
  /** From now on the register says this, whoever asks; undefined: the cast again. */
  answer(answer: RegisterAnswer | Promise<RegisterAnswer> | undefined): void
  /** What the register was asked. */
  readonly asked: readonly RegisterQuery[]
  readonly events: readonly AuditEvent[]
  /** From now on a record of this type cannot be written; undefined: every record can. */
  failRecords(type: AuditEvent['type'] | undefined): void
  /** Whom the citizens' texts told of what. */
  readonly told: readonly Told[]
  /** Whose sessions were ended. */
  readonly ended: readonly string[]
  readonly clock: Clock
  readonly config: Config
  /** Proofs a cast member, with what is different this time. */
  prove(key: string, over?: Partial<CastMember> & { citizen?: Citizen }): Promise<Proofed>
  close(): Promise<void>
}

export const people = (await readPopulation()).people
export const member = (key: string): CastMember => people.find((person) => person.key === key) as CastMember

/** The number of somebody who has that many birthdays behind him today, whatever day the test runs. */
export function numberOfAge(years: number, now: number): string {
  const [year = '', month = '', day = ''] = dayInChina(now).split('-')
  // 29 February exists only every fourth year; the day before is as good.
  const body = `690101${Number(year) - years}${month}${month + day === '0229' ? '28' : day}106`
  return body + checkCharacter(body)
}

export async function openLoginRooms(
  file = ':memory:',
  registerTimeoutMs = 5_000,
  keys = () => sealerKeys(),
): Promise<LoginRooms> {
  const config = loadConfig('config', {})
  const clock = movableClock()
  const { now } = clock
  const { storage, sealing, vault, tampered } = await openSealedStore(file, keys, now)
  const directory = createDirectory({ storage, ...sealing, now })
  const throttle = createThrottle({ storage, login: config.login, sms: config.verifiers.sms, now })
  const line = createLine({ throttle, storage, mac: createSoftwareMac(randomBytes(32)), now })
  const artifacts = createSealedArtifacts({ artifacts: storage.artifacts, vault })
  const devices = createDevices({ artifacts, directory, perPerson: config.login.knownDevices, now })
  const register = createFileRegister()
  const asked: RegisterQuery[] = []
  const events: AuditEvent[] = []
  let failing: AuditEvent['type'] | undefined
  let fixed: RegisterAnswer | Promise<RegisterAnswer> | undefined
  const listening: Pick<PopulationRegister, 'check'> = {
    async check(query) {
      asked.push(query)
      return fixed ?? register.check(query)
    },
  }
  const check = createRegisterCheck(listening, { timeoutMs: registerTimeoutMs })
  const recorder = {
    async record(event: AuditEvent) {
      if (event.type === failing) throw new AppError('audit_broken')
      events.push(event)
    },
    checkpoint: async () => undefined,
    close: async () => undefined,
  }
  const ended: string[] = []
  const endSessions = async (person: string) => void ended.push(person)
  const told: Told[] = []
  const notices: CitizenNotices = {
    tell: async (citizen, event, phones) =>
      void told.push(...phones.map((phone) => ({ id: citizen.id, event, phone }))),
    tellOfTry: async ({ id }) => void told.push({ id, event: 'tried', phone: '' }),
  }
  const hidePast = async () => undefined
  const ownership = createOwnership({
    directory,
    recorder,
    notices,
    endWays: async () => undefined,
    endSessions,
    hidePast,
  })
  const proofing = createProofing({ directory, check, throttle, recorder, ownership, now })
  const confirmDays = config.login.phoneConfirmDays
  const confirmation = createPhoneConfirmation({ directory, check, recorder, confirmDays, now })

  return {
    ...{ storage, sealing, vault, tampered },
    ...{
      directory,
      throttle,
      line,
      devices,
      proofing,
      confirmation,
      register,
      asked,
      events,
      told,
      ended,
      clock,
      config,
    },
    answer: (answer) => void (fixed = answer),
    failRecords: (type) => void (failing = type),
    prove(key, { citizen, ...over } = {}) {
      const { kind, number, name, phone = '+8619900000099' } = { ...member(key), ...over }
      const document = parseDocument(kind, number, now())
      return proofing.prove({ document, name, phone, trail, ...(citizen ? { citizen } : {}) })
    },
    close: () => storage.close(),
  }
}
