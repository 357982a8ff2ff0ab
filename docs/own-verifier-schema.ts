/** Writes `docs/own-verifier.schema.json` anew: `node docs/own-verifier-schema.ts`, then prettier. A test asks whether it is current. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { wireSchema } from '#src/verifiers/own/wire.ts'

writeFileSync(join(import.meta.dirname, 'own-verifier.schema.json'), `${JSON.stringify(wireSchema(), null, 2)}\n`)
