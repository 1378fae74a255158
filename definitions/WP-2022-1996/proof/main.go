// Answers to scripts of two other sites only: a CORS filter of go-restful.
package main

import (
	"io"
	"net/http"
	"os"

	"github.com/emicklei/go-restful/v3"
)

func main() {
	c := restful.NewContainer()
	ws := new(restful.WebService)
	ws.Path("/users").Consumes("*/*").Produces("application/json")
	answer := func(r *restful.Request, w *restful.Response) {
		b, err := io.ReadAll(r.Request.Body)
		if err != nil {
			w.WriteErrorString(http.StatusBadRequest, err.Error())
			return
		}
		w.WriteAsJson(map[string]string{"method": r.Request.Method, "id": r.PathParameter("id"), "q": r.QueryParameter("q"), "body": string(b)})
	}
	ws.Route(ws.GET("").To(answer))
	ws.Route(ws.GET("/{id}").To(answer))
	ws.Route(ws.POST("").To(answer))
	ws.Route(ws.PUT("/{id}").To(answer))
	ws.Route(ws.DELETE("/{id}").To(answer))
	c.Add(ws)
	cors := restful.CrossOriginResourceSharing{
		AllowedDomains: []string{"https://good.example", "http://shop.example:8080"}, AllowedHeaders: []string{"Content-Type", "X-Token"},
		AllowedMethods: []string{"GET", "POST", "PUT"}, ExposeHeaders: []string{"X-Total"}, CookiesAllowed: true, MaxAge: 600, Container: c,
	}
	c.Filter(cors.Filter)
	c.Filter(c.OPTIONSFilter)
	if err := http.ListenAndServe(os.Getenv("HOST")+":"+os.Getenv("PORT"), c); err != nil {
		panic(err)
	}
}
