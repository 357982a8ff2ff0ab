/** A node in small, for the test that kills one: renews what there is and says on stdout when it has begun and ended. */
import { writeSync } from 'node:fs'
import { createRenewal } from '#src/login/renewal.ts'
import { openSealedStore, sealerKeys } from '../support/sealing.ts'

const [, , file = '', wrapping = '', versions = ''] = process.argv
const numbers = (list: string) => list.split(',').map(Number)
const { storage, sealing } = await openSealedStore(file, () => sealerKeys(numbers(wrapping), numbers(versions)))
const renewal = createRenewal({
  ...{ storage, ...sealing, now: Date.now },
  recorder: { record: async () => undefined },
  onProgress: ({ on, stage }) => void writeSync(1, `${on} ${stage}\n`),
  onFault: (error) => {
    throw error
  },
})
await renewal.wake()
writeSync(1, 'done\n')
await renewal.stop()
await storage.close()
