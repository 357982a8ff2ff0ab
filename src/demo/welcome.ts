/** What the terminal says when the demo city is up: where to click, and as whom to sign in. */
import { resolve } from 'node:path'
import type { Config } from '#src/config.ts'
import { groupNumber } from '#src/identity/id-number.ts'
import { groupPhone } from '#src/identity/phone.ts'
import { castMember, readPopulation } from './cast.ts'
import type { DemoCity } from './city.ts'

export async function welcome(config: Config, city: DemoCity): Promise<string> {
  const { name, number, phone } = castMember(await readPopulation(resolve(config.register.file)), 'yan')
  const [first, second] = city.links
  return `
  一号 Yihao is ready.

  1. Open ${first?.url}   ${first?.name.zh} ${first?.name.en} (SM2)
     and press 用一号登录.
  2. Sign in as the synthetic citizen
       手机号 phone      ${groupPhone(phone ?? '')}
       姓名   name       ${name}
       证件号 ID number  ${groupNumber(number)}
     The code arrives on the demo phone: ${city.phoneUrl}
  3. Open ${second?.url}   ${second?.name.zh} ${second?.name.en} (${config.crypto.policy === 'sm-only' ? 'SM2' : 'ES256'}):
     you are signed in already. Sign out in one, and both have forgotten you.
${config.demo.terminalPort ? terminalSays(config.demo.terminalPort, city.cardReaderUrl) : ''}  UKey (数字证书): the one that is plugged in is chosen at ${city.tokensUrl}

`
}

const terminalSays = (
  port: number,
  reader: string,
): string => `  4. A self-service terminal with a card reader stands at http://127.0.0.1:${port}/
     Put the cards of the synthetic citizens on it at ${reader}
     and choose there who stands before its camera.
`
