/**
 * The process edge of the key daemon: opens the keys of the node, answers the servers at its socket, and ends in order
 * on SIGINT and SIGTERM. It loads little, and so is back soon: whoever waits for a key waits for its start.
 */
import { loadConfig } from '../config.ts'
import { createKeys } from '../crypto/key-store.ts'
import { openOwnRing } from '../crypto/open-ring.ts'
import { runSelfTest } from '../crypto/self-test.ts'
import { AppError } from '../errors.ts'
import { createLogger } from '../http/log.ts'
import { createDaemon } from './key-daemon/daemon.ts'

async function main(): Promise<void> {
  const config = loadConfig('config', process.env)
  const log = createLogger(config.log.level)
  const onFault = (error: unknown) => log.error({ err: error }, 'fault')
  await runSelfTest()
  if (config.environment === 'development') await createKeys(config.keys, 'development', { env: process.env })
  const ring = await openOwnRing(config, { env: process.env, onFault })
  const { socket, timeout } = config.keys.daemon
  const daemon = await createDaemon(ring, { socket, deadlineMs: timeout * 1000, onFault })

  let ending = false
  const end = async (signal: string): Promise<void> => {
    if (ending) return
    ending = true
    log.info({ signal }, 'ending')
    await daemon.close()
    await ring.close()
    process.exit(0)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void end(signal))
  log.info({ socket }, 'listening')
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof AppError ? error.message : String(error)}\n`)
  process.exit(1)
})
