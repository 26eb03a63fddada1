// Starts the API reference on /scalar/v1. Everything that would call another host is off.
'use strict'

Scalar.createApiReference('#app', {
  url: '/openapi/v1.json',
  theme: 'default',
  favicon: '/assets/favicon.svg',
  withDefaultFonts: false,
  telemetry: false,
  persistAuth: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  hideClientButton: true,
  showDeveloperTools: 'never',
  externalUrls: { dashboardUrl: '', registryUrl: '', proxyUrl: '', apiBaseUrl: '' },
})
