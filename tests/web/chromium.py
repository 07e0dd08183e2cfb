"""Chromium without a screen, for the tests and the screenshots."""

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

DESKTOP = (1280, 800)
PHONE = (390, 844)
PHONE_ON_ITS_SIDE = (844, 390)


class Page:
    """A window of its own at an address; closed at the end of a `with`."""

    def __init__(self, address, size=DESKTOP, scheme="light", downloads=None, words=()):
        options = Options()
        for word in ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *words]:
            options.add_argument(word)
        options.add_argument(f"--window-size={size[0]},{size[1]}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        if downloads:
            options.add_experimental_option("prefs", {"download.default_directory": downloads})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_script_timeout(20)
        screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size in (PHONE, PHONE_ON_ITS_SIDE)}
        self.cdp("Emulation.setDeviceMetricsOverride", screen)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.cdp("Emulation.setEmulatedMedia", media)
        self.driver.get(address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    def cdp(self, command, parameters):
        return self.driver.execute_cdp_cmd(command, parameters)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def key(self, key):
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(key).perform()

    def state(self, camera="front"):
        """What the page says that a camera's picture is: `live`, `lost`, ...; None where it is not shown."""
        find = "return document.querySelector(`.tile[data-camera='${arguments[0]}']`)?.dataset.state ?? null"
        return self.run(find, camera)

    def says(self, camera="front"):
        """What stands in the middle of a camera's picture."""
        find = "return document.querySelector(`.tile[data-camera='${arguments[0]}'] .notice`)"
        notice = self.run(find, camera)
        return notice.text if notice else ""

    def figure(self, name):
        """A line of the details, which must be open."""
        find = "return document.querySelector(`#sheet [data-figure='${arguments[0]}']`)?.textContent"
        return self.run(find, name)

    def shown(self):
        """The cameras that are shown."""
        return self.run("return [...document.querySelectorAll('.tile')].map(tile => tile.dataset.camera)")

    def drawn(self, camera="front"):
        """Pictures drawn so far over this connection."""
        find = "return Number(document.querySelector(`.tile[data-camera='${arguments[0]}']`)?.dataset.drawn ?? 0)"
        return self.run(find, camera)

    def errors(self):
        """What the console complains about."""
        return [line["message"] for line in self.driver.get_log("browser") if line["level"] == "SEVERE"]
