// Reads forms into structures.
package main

import (
	"os"

	"github.com/gofiber/fiber/v2"
)

type list struct {
	Title string `form:"title" query:"title"`
	Users []struct {
		Name string `form:"name" query:"name"`
	} `form:"users" query:"users"`
}

func main() {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	reply := func(c *fiber.Ctx, l *list, err error) error {
		if err != nil {
			return c.Status(fiber.StatusBadRequest).SendString("bad: " + err.Error() + "\n")
		}
		names := ""
		for _, u := range l.Users {
			names += u.Name
		}
		return c.JSON(fiber.Map{"title": l.Title, "users": len(l.Users), "names": names})
	}
	app.Post("/", func(c *fiber.Ctx) error {
		var l list
		return reply(c, &l, c.BodyParser(&l))
	})
	app.Get("/", func(c *fiber.Ctx) error {
		var l list
		return reply(c, &l, c.QueryParser(&l))
	})
	app.Get("/plain", func(c *fiber.Ctx) error { return c.SendString("plain\n") })
	if err := app.Listen(os.Getenv("HOST") + ":" + os.Getenv("PORT")); err != nil {
		panic(err)
	}
}
