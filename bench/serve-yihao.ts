/** The whole server for `tokens`: one citizen signed in, one refresh token for each chain. */
import { secrets, startServer } from '../test/support/app.ts'
import { openBrowser } from '../test/support/browser.ts'
import { personOf, signIn } from '../test/support/citizen.ts'
import { relyingParty } from '../test/support/relying-party.ts'

const id = process.argv[3] === 'first' ? 'first' : 'second'
const settings = (config: Record<string, unknown>) => void (config['log'] = { level: 'silent' })
const server = await startServer({ settings })
const party = relyingParty(server.url, id)
const browser = openBrowser(server.url)
const refreshTokens: string[] = []
let accessToken = ''
for (let n = 0; n < Number(process.argv[2]); n += 1) {
  const { location, request } = await signIn(server, browser, party, await personOf('yan'))
  const tokens = await party.tokens(location, request)
  refreshTokens.push(tokens.refresh_token)
  accessToken = tokens.access_token
}
process.on('message', () => process.send?.(process.cpuUsage()))
process.on('SIGTERM', () => void server.close().then(() => process.exit(0)))
process.send?.({ url: server.url, authorization: `Basic ${btoa(`${id}:${secrets[id]}`)}`, refreshTokens, accessToken })
