#!/usr/bin/env node
// What npm links as `embed-kd`. It is here, executable, before anything is built: npm sets no permissions on what is built later.
import '../dist/cli.js'
