// Offers a file under the name that the client asks for.
package main

import (
	"net/http"
	"os"

	"github.com/gin-gonic/gin"
)

func main() {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.GET("/download", func(c *gin.Context) { c.FileAttachment("/srv/report.txt", c.Query("name")) })
	r.GET("/plain", func(c *gin.Context) {
		c.Header("Content-Disposition", `inline; filename="plain.txt"; x="y"`)
		c.String(http.StatusOK, "plain\n")
	})
	r.POST("/form", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"name": c.PostForm("name")}) })
	if err := r.Run(os.Getenv("HOST") + ":" + os.Getenv("PORT")); err != nil {
		panic(err)
	}
}
