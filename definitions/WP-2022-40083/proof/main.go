// Serves a folder with echo.
package main

import (
	"net/http"
	"os"

	"github.com/labstack/echo/v4"
)

func main() {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET("/moved", func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, "//cdn.example/") })
	e.GET("/found", func(c echo.Context) error { return c.Redirect(http.StatusFound, c.QueryParam("to")) })
	e.POST("/echo", func(c echo.Context) error { return c.String(http.StatusOK, c.FormValue("a")) })
	e.Static("/", "files")
	if err := e.Start(os.Getenv("HOST") + ":" + os.Getenv("PORT")); err != nil {
		panic(err)
	}
}
