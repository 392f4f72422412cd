"""A registry over an OCI layout, and everything that one could do wrong. Prints its port, then serves until it is killed.

    registry_server.py LAYOUT LOG [JSON]

Each request is a line of LOG: method, path, the Authorization it came with ("-"), Range ("-"), bytes sent.
The JSON object says how it behaves; without one it is honest:

  basic, token   "user:password" it wants; token: by way of /token, "" lets anybody have one
  token_uses     requests after which a token is not good any more
  realm          where the tokens are said to be
  cut            bytes of a blob after which the connection ends
  stall          bytes after which the connection stays open and says nothing, for ever
  no_range, bad_range   a Range is ignored, answered with another part
  fail           statuses for the first requests of blobs; retry_after with them
  slow           bytes a second of blobs
  redirect       where blobs are said to be
  location       Location of every answer to GET of a blob, with 307, as it stands
  flip           a byte of each blob is another
  more, less     bytes that blobs have too many, too few (Content-Length as sent)
  endless        blobs without length and end
  head, heads    headers of so many bytes, so many of them
  body, fill     the manifest is this text, followed by so many blanks
  push           takes uploads: status of the first attempts to send a blob ([]: none fails); 0 ends the connection in the middle
  upload         where uploads go on, instead of here
  type, digest   Content-Type and Docker-Content-Digest of manifests
  cert, key      TLS
"""
import base64
import hashlib
import http.server
import json
import os
import ssl
import sys
import threading
import time

LAYOUT, LOG = sys.argv[1], open(sys.argv[2], 'a', buffering=1)
HOW = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
lock = threading.Lock()
tokens, failures, refusals = {}, list(HOW.get('fail', [])), list(HOW.get('push', []))


def basic(pair):
    return 'Basic ' + base64.b64encode(pair.encode()).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    sent = 0

    def log_message(self, *args):
        pass

    def log(self):
        LOG.write(f"{self.command} {self.path} {self.headers.get('Authorization', '-').replace(' ', '_')} "
                  f"{self.headers.get('Range', '-')} {self.sent}\n")

    def begin(self, status, length=None, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        for i in range(HOW.get('heads', 0)):
            self.send_header(f'X-Pad-{i}', 'x' * HOW['head'])
        if length is None:
            self.send_header('Connection', 'close')
            self.close_connection = True
        else:
            self.send_header('Content-Length', str(length))
        self.end_headers()

    def answer(self, status, body=b'', **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.begin(status, len(body), **headers)
        if self.command != 'HEAD':
            self.wfile.write(body)
            self.sent += len(body)

    def may(self):
        given = self.headers.get('Authorization', '')
        if 'basic' in HOW and given != basic(HOW['basic']):
            self.answer(401, {'errors': [{'code': 'UNAUTHORIZED', 'message': 'who are you?'}]}, WWW_Authenticate='Basic realm="test"')
            return False
        if 'token' in HOW:
            with lock:
                left = tokens.get(given, 0)
                tokens[given] = left - 1
            if left <= 0:
                realm = HOW.get('realm') or f'http://{self.headers["Host"]}/token'
                self.answer(401, b'', WWW_Authenticate=f'Bearer realm="{realm}",service="test, really",scope="repository:x:pull"')
                return False
        return True

    def token(self):
        if HOW['token'] and self.headers.get('Authorization') != basic(HOW['token']):
            return self.answer(401, {'errors': [{'message': 'wrong password'}]})
        with lock:
            name = f'Bearer t{len(tokens)}'
            tokens[name] = HOW.get('token_uses', 1000000)
        self.answer(200, {'token': name[7:], 'expires_in': 300})

    def manifest(self, ref):
        index = json.load(open(f'{LAYOUT}/index.json'))
        for m in index['manifests']:
            name = m.get('annotations', {}).get('org.opencontainers.image.ref.name')
            if ref in (m['digest'], name):
                ref, kind = m['digest'], m['mediaType']
                break
        else:
            kind = 'application/octet-stream'
        path = f'{LAYOUT}/blobs/{ref.replace(":", "/")}'
        if not os.path.exists(path):
            return self.answer(404, {'errors': [{'code': 'MANIFEST_UNKNOWN', 'message': 'manifest unknown\n\x1b[31m'}]})
        body = open(path, 'rb').read() if 'body' not in HOW else HOW['body'].encode()
        body += b' ' * HOW.get('fill', 0)
        self.answer(200, body, Content_Type=HOW.get('type', kind), Docker_Content_Digest=HOW.get('digest', ref))

    def pour(self, data):
        step = HOW.get('slow', len(data) or 1)
        for i in range(0, len(data), step):
            if i:
                time.sleep(1)
            self.wfile.write(data[i:i + step])
            self.sent += len(data[i:i + step])

    def blob(self, digest):
        path = f'{LAYOUT}/blobs/{digest.replace(":", "/")}'
        if 'redirect' in HOW or 'location' in HOW:
            return self.answer(307, Location=HOW.get('location') or HOW['redirect'] + self.path)
        with lock:
            status = failures.pop(0) if failures else 0
        if status:
            return self.answer(status, b'no', **({'Retry_After': HOW['retry_after']} if 'retry_after' in HOW else {}))
        if not os.path.exists(path):
            return self.answer(404)
        if 'endless' in HOW:
            self.begin(200)
            while True:
                self.wfile.write(bytes(65536))
                self.sent += 65536
        data = bytearray(open(path, 'rb').read())
        if 'flip' in HOW:
            data[len(data) // 2] ^= 1
        data += bytes(HOW.get('more', 0))
        data = bytes(data[:len(data) - HOW.get('less', 0)])
        start, rest = 0, self.headers.get('Range', '')
        if rest.startswith('bytes=') and 'no_range' not in HOW:
            start = int(rest[6:].split('-')[0])
            if start >= len(data):
                return self.answer(416)
            said = start + 7 if 'bad_range' in HOW else start
            self.begin(206, len(data) - start, Content_Range=f'bytes {said}-{len(data) - 1}/{len(data)}')
        else:
            self.begin(200, len(data))
        cut = HOW.get('cut', HOW.get('stall'))
        self.pour(data[start:] if cut is None else data[start:start + cut])
        if cut is not None and start + cut < len(data):
            self.close_connection = True
            if 'stall' in HOW:
                self.log()
                time.sleep(3600)

    def do_GET(self):
        self.sent = 0
        parts = self.path.split('?')[0].split('/')
        try:
            if parts[1] == 'token':
                self.token()
            elif self.may():
                (self.manifest if parts[-2] == 'manifests' else self.blob)(parts[-1])
        except OSError:
            self.close_connection = True
        self.log()


    # ---- uploads ----

    def do_HEAD(self):
        self.sent = 0
        if self.may():
            path = f'{LAYOUT}/blobs/{self.path.split("/")[-1].replace(":", "/")}'
            self.answer(200 if os.path.exists(path) else 404)
        self.log()

    def take(self):
        """The body, or as much as came before the connection was ended."""
        left = int(self.headers.get('Content-Length', 0))
        with lock:
            status = refusals.pop(0) if refusals and left else None
        if status == 0:
            self.rfile.read(left // 2)
            self.close_connection = True
            self.connection.shutdown(2)
            return None
        self.body = self.rfile.read(left)
        self.sent = len(self.body)
        if status:
            self.answer(status, b'no')
            return None
        return self.body

    def do_POST(self):
        self.sent = 0
        if self.may():
            self.answer(202, Location=HOW.get('upload', '') + f'{self.path.split("?")[0]}session?state=1')
        self.log()

    def do_PATCH(self):
        self.sent = 0
        if self.may() and self.take() is not None:
            self.answer(202, Location=self.path)
        self.log()

    def do_PUT(self):
        self.sent = 0
        if self.may() and self.take() is not None:
            if '/manifests/' in self.path:
                self.answer(201, Docker_Content_Digest='sha256:' + hashlib.sha256(self.body).hexdigest())
            else:
                self.answer(201)
        self.log()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):
        pass


server = Server(('127.0.0.1', 0), Handler)
if 'cert' in HOW:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HOW['cert'], HOW['key'])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
