/**
 * The fake card reader as a program, to try a terminal agent without hardware: on a TCP port or as a serial device, with
 * its page of hands. Usage: `npm run fake-reader -- [--tcp <port>] [--pty] [--desk <port>]`
 */
import { parseArgs } from 'node:util'
import express from 'express'
import { populationFile } from './cast.ts'
import { createDesk } from './fake-reader/desk.ts'
import { listenOnTcp, openPty } from './fake-reader/lines.ts'
import { createFakeReader } from './fake-reader/sam.ts'
import { listen } from './relying-party.ts'

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { tcp: { type: 'string' }, pty: { type: 'boolean' }, desk: { type: 'string', default: '17082' } },
  })
  const reader = createFakeReader()
  const line = values.pty ? await openPty(reader) : await listenOnTcp(reader, Number(values.tcp ?? 17081))
  const app = express()
  app.use('/', createDesk(reader, populationFile))
  await listen(app, Number(values.desk))
  process.stdout.write(
    `listening ${line.address}, cards at http://localhost:${values.desk}/, camera at http://localhost:${values.desk}/camera\n`,
  )
}

await main()
