// What this global scope says of its browser: that of a page, of a frame or of a worker.
async function look() {
  const { locale, timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  return {
    user_agent: navigator.userAgent,
    platform: navigator.platform,
    vendor: navigator.vendor ?? "",
    language: navigator.language,
    languages: [...navigator.languages],
    webdriver: navigator.webdriver ?? null,
    hardware_concurrency: navigator.hardwareConcurrency,
    device_memory: navigator.deviceMemory ?? null,
    timezone: timeZone,
    offset_minutes: new Date().getTimezoneOffset(),
    locale,
    agent_data: navigator.userAgentData ? await lookDeeper(navigator.userAgentData) : null,
  };
}

async function lookDeeper(data) {
  const pairs = (brands) => brands.map(({ brand, version }) => [brand, version]);
  const deep = await data.getHighEntropyValues([
    "architecture", "bitness", "fullVersionList", "model", "platformVersion",
  ]);
  return {
    brands: pairs(data.brands),
    full_versions: pairs(deep.fullVersionList),
    is_mobile: data.mobile,
    platform: data.platform,
    platform_version: deep.platformVersion,
    architecture: deep.architecture,
    bitness: deep.bitness,
    model: deep.model,
  };
}
