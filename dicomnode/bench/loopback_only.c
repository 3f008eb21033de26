/* Servers that know no bind address (Orthanc, DCMTK) listen on every interface. Loaded before libc, this turns
 * a bind to "any address" into a bind to loopback, so that a test opens no port to the network.
 *     cc -shared -fPIC -O2 -o loopback_only.so loopback_only.c -ldl ; LD_PRELOAD=./loopback_only.so Orthanc ...
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

typedef int (*bind_function)(int, const struct sockaddr *, socklen_t);

int bind(int socket, const struct sockaddr *address, socklen_t length)
{
    bind_function next = (bind_function)dlsym(RTLD_NEXT, "bind");
    struct sockaddr_storage local;

    if (address == NULL || length > sizeof local)
        return next(socket, address, length);
    memcpy(&local, address, length);
    if (address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in *four = (struct sockaddr_in *)&local;
        if (four->sin_addr.s_addr == htonl(INADDR_ANY))
            four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else if (address->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)&local;
        if (IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr))
            six->sin6_addr = in6addr_loopback;
    }
    return next(socket, (struct sockaddr *)&local, length);
}
