/** A city's own verifiers pass the contract of every verifier: the example service in Python, and a module. */
import { state } from '../../support/own-module.ts'
import { ownVerifiers } from '#src/config/own.ts'
import { createOwnVerifier } from '#src/verifiers/own/index.ts'
import { loadModules } from '#src/verifiers/own/module.ts'
import type { BackEnd } from '#src/verifiers/own/declared.ts'
import { verifierContract } from '../../contracts/verifier.ts'
import { declaration, macs } from '../../support/own-verifiers.ts'
import { cardHolder, rightCard, startExample, startFaultyWay } from '../../support/own-service.ts'
import type { ExampleService, FaultyWay } from '../../support/own-service.ts'
import { temporaryDirectories } from '../../support/temporary.ts'

/** The contract's deadline of 50 ms is for what runs here: a service of another process gets a little more. */
const deadlineOf = (timeoutMs: number) => Math.max(timeoutMs, 400)
const wrong = [{ card: rightCard.card, pin: '000000' }, { card: '69999999', pin: rightCard.pin }, 'text', []]

describe("a service of a city's own, in Python", () => {
  const directory = temporaryDirectories()
  let service: ExampleService
  let way: FaultyWay
  before(async () => {
    service = await startExample(directory(), '--failures', '1000')
    way = await startFaultyWay(service.url, 450)
  })
  after(() => {
    way.close()
    service.close()
  })

  verifierContract('own over HTTP', (timeoutMs) => {
    way.how = undefined
    const settings = declaration({ kind: 'http', url: way.url, keyFile: service.keyFile, timeout: 1 })
    // The settings count in seconds.
    const verifier = createOwnVerifier(
      'staff-card',
      { ...settings, timeout: deadlineOf(timeoutMs) / 1000 },
      {
        macs,
        modules: new Map(),
      },
    )
    return {
      verifier,
      input: undefined,
      subject: cardHolder,
      right: () => rightCard,
      wrong,
      fail: (how) => void (way.how = how),
      asksAt: ['begin', 'finish'],
    }
  })
})

describe("a module of a city's own", () => {
  const settings = ownVerifiers.parse({
    'staff-card': {
      ...declaration({ kind: 'module', path: './test/support/own-module.ts' }),
      options: { ...rightCard, person: cardHolder, lateMs: 100 },
    },
  })
  let modules: ReadonlyMap<string, BackEnd>
  before(async () => {
    modules = await loadModules(settings)
  })

  verifierContract('own as a module', (timeoutMs) => {
    state.how = undefined
    const [own] = Object.values(settings)
    const verifier = createOwnVerifier('staff-card', { ...own!, timeout: timeoutMs / 1000 }, { macs, modules })
    return {
      verifier,
      input: undefined,
      subject: cardHolder,
      right: () => rightCard,
      wrong,
      fail: (how) => void (state.how = how),
      asksAt: ['begin', 'finish'],
    }
  })
})
