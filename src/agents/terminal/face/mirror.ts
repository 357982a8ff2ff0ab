/**
 * The mirror: the citizen sees himself while his face is compared, in a frame within the issuer's page. The frame is the
 * agent's, so that the issuer's page never gets at a pixel; the picture is given to that frame alone.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Doors } from '../doors.ts'
import type { Comparer } from './comparison.ts'

const page = `<!doctype html>
<html><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>·</title>
<link rel="stylesheet" href="/mirror.css"></head>
<body><img src="/mirror/picture" alt=""></body></html>
`
/** As one stands before a mirror. */
const style = `html,body{margin:0;height:100%;background:#000}
img{display:block;width:100%;height:100%;object-fit:cover;transform:scaleX(-1)}
`
const boundary = 'yihao-picture'
/** How long somebody may take to read the last picture when it is over. */
const lateMs = 500

export interface Mirror {
  /** Whether the request was one for the mirror, and is answered. */
  answer(path: string, request: IncomingMessage, response: ServerResponse): boolean
}

export interface MirrorOptions {
  readonly comparer: Pick<Comparer, 'watch'>
  readonly doors: Doors
  readonly issuer: string
  readonly refuse: (
    response: ServerResponse,
    status: 403 | 404 | 405,
    error: 'foreign-origin' | 'not-found' | 'method',
  ) => unknown
}

export function createMirror({ comparer, doors, issuer, refuse }: MirrorOptions): Mirror {
  const policy = `default-src 'none'; img-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ${issuer}`

  function show(response: ServerResponse): void {
    /** One at a time: who takes long gets fewer. */
    let writing = false
    const stop = comparer.watch({
      picture(bytes) {
        if (writing) return
        writing = true
        const part = Buffer.concat([
          Buffer.from(`\r\nContent-Type: image/jpeg\r\nContent-Length: ${bytes.length}\r\n\r\n`),
          bytes,
          Buffer.from(`\r\n--${boundary}`),
        ])
        response.write(part, () => {
          part.fill(0)
          writing = false
        })
      },
      end() {
        response.end('--\r\n')
        // Who does not read keeps no picture for as long as he likes.
        const late = setTimeout(() => response.destroy(), lateMs)
        response.once('close', () => clearTimeout(late))
      },
    })
    if (!stop) return void refuse(response, 404, 'not-found')
    response.on('close', stop)
    response.writeHead(200, {
      'content-type': `multipart/x-mixed-replace; boundary=${boundary}`,
      connection: 'close',
    })
    response.write(`--${boundary}`)
  }

  return {
    answer(path, request, response) {
      if (!['/mirror', '/mirror.css', '/mirror/picture'].includes(path)) return false
      if (request.method !== 'GET') refuse(response, 405, 'method')
      else if (path === '/mirror/picture') {
        // Nobody but the frame: no other page, and no address typed in.
        if (doors.isOwnPage(request)) show(response)
        else refuse(response, 403, 'foreign-origin')
      } else if (path === '/mirror') {
        response.removeHeader('x-frame-options')
        response.setHeader('content-security-policy', policy)
        response.setHeader('content-type', 'text/html; charset=utf-8')
        response.end(page)
      } else response.setHeader('content-type', 'text/css; charset=utf-8').end(style)
      return true
    },
  }
}
