/** The fake decoder of card photos, run by the agent as a vendor's is: 1,024 bytes in, a JPEG out. */
import { buffer } from 'node:stream/consumers'
import { pictureOf, portraitIn } from './portraits.ts'

const portrait = portraitIn(await buffer(process.stdin))
if (portrait) process.stdout.write(pictureOf(portrait, 'card'))
else process.exitCode = 1
