// The same name for each build.
module.exports = { generateBuildId: () => 'build', poweredByHeader: true }
