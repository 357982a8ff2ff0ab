/** The SQLite driver keeps the storage contract, in a file and in memory. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStorage } from '#src/storage/open.ts'
import { endingsContract } from '../contracts/storage-endings.ts'
import { keysContract } from '../contracts/storage-keys.ts'
import { storageContract } from '../contracts/storage.ts'

let directory: string
let files = 0
const file = () => join(directory, `${files}.db`)

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'yihao-storage-'))
})
after(() => rm(directory, { recursive: true }))

storageContract('sqlite, in memory', () => openStorage({ kind: 'sqlite', file: ':memory:' }))

storageContract(
  'sqlite, in a file',
  () => {
    files += 1
    return openStorage({ kind: 'sqlite', file: file() })
  },
  {
    async reopen(storage) {
      await storage.close()
      return openStorage({ kind: 'sqlite', file: file() })
    },
  },
)

endingsContract('sqlite', () => openStorage({ kind: 'sqlite', file: ':memory:' }))

keysContract('sqlite', () => openStorage({ kind: 'sqlite', file: ':memory:' }))
