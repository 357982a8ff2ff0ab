/** A restore in small, for the test that kills one: says on stdout when it begins and when it is done. */
import { writeSync } from 'node:fs'
import { sm3 } from 'jose'
import { createPersonMac } from '#src/storage/person-mac.ts'
import { restoreStore } from '#src/storage/sqlite/restore.ts'

const [, , file = '', backup = ''] = process.argv
writeSync(1, 'begun\n')
await restoreStore(file, backup, {
  mac: async (text) => sm3(`a key ${text}`),
  personMac: createPersonMac(async (text) => sm3(`a key ${text}`)),
  tryKeys: async () => {},
  replace: true,
  ledger: 'beside',
  carry: async () => ({}),
  now: Date.now(),
})
writeSync(1, 'done\n')
