/** The register behind signed HTTP does what every register must, with a peer in another language behind it. */
import { createHttpRegister } from '#src/register/http-register.ts'
import { populationRegisterContract } from '../contracts/population-register.ts'
import { castQuestions } from '../support/cast-questions.ts'
import { startPeer, type Peer } from '../support/signed-peer.ts'

describe('the register behind signed HTTP', () => {
  let peer: Peer
  before(async () => {
    peer = await startPeer()
  })
  after(() => peer.close())

  populationRegisterContract(async () => {
    await peer.behave('')
    const register = createHttpRegister({ url: `${peer.url}/register`, key: peer.key, timeoutMs: 2_000 })
    return { register, fail: () => peer.behave('/broken') }
  }, castQuestions)
})
