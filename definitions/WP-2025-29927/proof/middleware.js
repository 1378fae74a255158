// Lets nobody into /admin without a session, and marks what it lets through.
import { NextResponse } from 'next/server'

export function middleware(req) {
  if (req.nextUrl.pathname.startsWith('/old')) return NextResponse.redirect(new URL('/', req.url))
  if (req.nextUrl.pathname.startsWith('/alias')) return NextResponse.rewrite(new URL('/api/echo', req.url))
  if (!req.cookies.get('session')) return new NextResponse('login required', { status: 401 })
  const res = NextResponse.next()
  res.headers.set('X-Seen', 'yes')
  return res
}

export const config = { matcher: ['/admin/:path*', '/old', '/alias'] }
