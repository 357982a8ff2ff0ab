/** The register behind signed HTTP does what every register must, with a peer in another language behind it. */
import { castMember, readPopulation } from '#src/demo/cast.ts'
import type { RegisterQuery } from '#src/identity/registry.ts'
import { createHttpRegister } from '#src/register/http-register.ts'
import { populationRegisterContract } from '../contracts/population-register.ts'
import { startPeer, type Peer } from '../support/signed-peer.ts'

const population = await readPopulation()
const member = (key: string) => castMember(population, key)

function asked(key: string, over: Partial<RegisterQuery> = {}): RegisterQuery {
  const { kind, number, name, phone } = member(key)
  return { kind, number, name, phone, ...over }
}

describe('the register behind signed HTTP', () => {
  let peer: Peer
  before(async () => {
    peer = await startPeer()
  })
  after(() => peer.close())

  populationRegisterContract(
    async () => {
      await peer.behave('')
      const register = createHttpRegister({ url: `${peer.url}/register`, key: peer.key, timeoutMs: 2_000 })
      return { register, fail: () => peer.behave('/broken') }
    },
    {
      match: asked('yan'),
      otherPhone: '+8619900000099',
      unknownNumber: '11010519491231002X',
      deceased: asked('deceased'),
      cancelled: asked('cancelled'),
      'document-void': asked('void'),
      renamed: asked('renamed', { name: member('renamed').formerNames[0] }),
      renumbered: asked('renumbered', { number: member('renumbered').formerNumbers[0] }),
    },
  )
})
